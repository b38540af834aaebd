"""Steps by name: declared, fitted together, fingerprinted, run or reused.

This room knows the project's functions and the store's datasets and runs. It does not know tests, gates or servers.
"""
