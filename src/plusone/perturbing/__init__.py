"""Changes of rows to test models by: typos, noise, swapped categories, turned pictures, each the same every time.

This room knows tables and what is in their columns. It knows no model and no check.
"""
