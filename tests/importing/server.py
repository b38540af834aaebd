"""A server that answers what a test says: what a tracking server may answer when it is old, broken or none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, bytes]
Reply = Callable[[str, str, bytes], Answer | None]


@contextmanager
def answering(answer: Reply) -> Iterator[tuple[str, list[str]]]:
    """Give the address of a server and the requests that it has had, while the block runs.

    Args:
        answer: gets verb, path and body; None closes the connection without an answer.
    """
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            seen.append(f"{self.command} {self.path} {self.headers.get('authorization') or ''}".strip())
            found = answer(self.command, self.path, body)
            if found is None:
                self.close_connection = True
                return
            self.send_response(found[0])
            self.send_header("content-length", str(len(found[1])))
            self.end_headers()
            self.wfile.write(found[1])

        do_GET = do_POST = _do

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
