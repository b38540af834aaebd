"""Every operation, defined exactly once. The command line, the HTTP API and the client are thin over this room."""
