"""What became of predictions: those that have their labels by now, right and wrong; and what that says of a candidate.

It knows the prediction log and the store; it knows no route and no release.
"""
