"""The processes that serve: kept alive, their listening sockets, and the folder through which they are told and tell.

It knows processes, sockets and files. It knows no model, no request and no store: what a worker does is `serving`.
"""
