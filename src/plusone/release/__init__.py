"""From a packaged model to a release that takes traffic, and back: the gate, the stages, and how n+1 is made.

This room knows the store, checks and pipelines. It does not know servers: it meets them at the route.
"""
