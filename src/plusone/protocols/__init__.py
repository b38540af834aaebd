"""The protocols in which predictions are asked for: bytes to rows, answers to bytes, and their descriptions.

It knows packaged models and formats on the wire, and no route and no queue. Only `grpc_service` has a port: what it is
asked it asks of a backend in turn.
"""
