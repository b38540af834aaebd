"""The program behind `make demo`: lives the story of a model from release 1 to a rollback, under traffic, and measures it.

It uses plusone as a stranger does: by its commands and over HTTP. It imports nothing of it.
"""
