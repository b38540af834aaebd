"""What is expected of a table: inferred from one that was good, held against the next, written down as tests.

This room knows tables and what may be wrong with them. It knows no model, no release and no pytest.
"""
