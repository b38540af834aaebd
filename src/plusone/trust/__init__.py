"""Whom and what people trust: keys that sign releases, and packages whose types are not known to be safe.

It knows digests, keys and what was signed. It knows no route, no server and no model.
"""
