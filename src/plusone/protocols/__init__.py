"""The protocols in which predictions are asked for: bytes to columns, answers to bytes, and their descriptions.

It knows packaged models and formats on the wire. It knows no socket, no route and no queue.
"""
