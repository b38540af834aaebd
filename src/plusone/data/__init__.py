"""Datasets: how the values that steps return are stored, named, read back and summarised.

This room knows dataframes, arrays and Arrow. It does not know steps, models or runs.
"""
