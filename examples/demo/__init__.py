"""The program behind `make demo`: a model's story under traffic, from release 1 to a rollback, measured.

It uses plusone as a stranger does: by its commands and over HTTP. It imports nothing of it.
"""
