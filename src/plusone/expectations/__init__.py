"""What is expected of a table, and what is wrong with it: held against the one before, and in itself.

This room knows tables and what may be wrong with them. It knows no model, no release and no pytest.
"""
