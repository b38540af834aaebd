"""HTTP/1.1 on sockets: bytes to requests, answers to bytes, with limits and time-outs for every client.

It knows connections. It knows no model, no address and no body.
"""
