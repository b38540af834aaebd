"""What checks measure with: how models answer the rows of a table, how a check says what came of it, and its figures.

This room knows models by what they answer. It knows no pytest, no session and no release.
"""
