"""The models that a worker holds in memory: exchanged under traffic, asked in batches, counted.

It knows packaged models, the route file and queues. It knows no address and no connection.
"""
