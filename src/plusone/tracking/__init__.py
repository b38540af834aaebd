"""Runs: what was executed, with which settings, code and environment, and what it logged.

This room knows the store, the journal and datasets. It does not know steps' graphs, releases or servers.
"""
