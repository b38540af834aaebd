"""HTTP/1.1 on sockets: bytes to requests, answers to bytes, with limits and time-outs for every client.

It knows connections. It knows no model, no address and no body.
"""

from .limits import Limits
from .request import Application, Endpoint, Head, Request
from .server import Server

__all__ = ["Application", "Endpoint", "Head", "Limits", "Request", "Server"]
