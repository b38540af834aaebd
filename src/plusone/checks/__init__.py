"""Checks: the project's tests, run by pytest on data and on packaged models, and what the gate makes of them.

This room knows pytest, datasets and the predictor. It knows no stage, no route and no server: whether a closed gate
stops a release is decided above. `plugin` is loaded by every pytest of the environment, so it imports next to nothing.
"""
