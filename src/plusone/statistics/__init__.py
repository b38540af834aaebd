"""Statistics: metrics of predictions and the uncertainty of what was measured, each with its source.

This room knows arrays of numbers. It knows no model, no dataset and no test: those who measure call it.
"""
