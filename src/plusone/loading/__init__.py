"""Loads of packaged models, each on a thread of its own: with a deadline, in turns, and known to the next process.

It knows the predictor and the marks of a slot. It knows no route, no request and no table of models.
"""
