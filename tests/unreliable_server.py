"""A local HTTP server that answers each request in a way chosen by the test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class UnreliableServer(ThreadingHTTPServer):
    """Serves `content` at every path.

    Attributes:
        ways: how the next requests are answered, one by one; then all are answered well.
        ranges: the Range header of every request so far, or None.
        paths: the path of every request so far.
    """

    def __init__(self, content: bytes):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = content
        self.ways: list[str] = []
        self.ranges: list[str | None] = []
        self.paths: list[str] = []
        self.stopped = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server, asked = self.server, self.headers.get("Range")
        server.ranges.append(asked)
        server.paths.append(self.path)
        way = server.ways.pop(0) if server.ways else "well"
        content = server.content
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and way != "without ranges" else 0
        if way.isdecimal():
            return self._send(int(way), b"no")
        if way == "a page":
            return self._send(200, b"<html>please log in</html>")
        if way == "other content":
            return self._send(200, bytes(len(content)))
        if way == "a redirect":
            return self._send(302, b"", Location="/elsewhere")
        if way == "without end":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content + bytes(1 << 20))
            return self._close()
        if way == "another range":
            return self._send(206, content[1:], **{"Content-Range": f"bytes 1-{len(content) - 1}/{len(content)}"})
        body = content[start:]
        ranged = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        sent = body[: len(body) // 2] if way in ("cut", "stalling") else body
        self._send(206 if start else 200, sent, len(body), **ranged)
        if way == "stalling":
            server.stopped.wait()
        if way in ("cut", "stalling"):
            self._close()

    def _send(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _close(self) -> None:
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serving(content: bytes) -> Iterator[UnreliableServer]:
    """A server in a thread of this process."""
    with UnreliableServer(content) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.stopped.set()
            server.shutdown()
            thread.join()
