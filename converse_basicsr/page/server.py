"""The HTTP server: on this computer only."""

import errno
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ..errors import UserError, in_one_line
from .assets import read_assets
from .body import discard, read_body, stated_length
from .desk import Desk, Missing
from .guard import Guard, Refused
from .routes import Answer, Request, answer, as_json

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class PageServer(ThreadingHTTPServer):
    """Serves the page at `address`.

    Args:
        desk: what the page works with.
        port: 0: a free one.
        max_upload: bytes.

    Raises:
        UserError: the port cannot be used.
    """

    allow_reuse_address = os.name != "nt"  # there it would allow another program to listen as well

    def __init__(self, desk: Desk, port: int, max_upload: int):
        try:
            super().__init__(("127.0.0.1", port), Handler)
        except (OSError, OverflowError) as error:
            used = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            raise UserError(f"--port {port}: {'another program uses it' if used else error}") from error
        self.desk = desk
        self.max_upload = max_upload
        self.assets = read_assets()
        self.guard = Guard(self.server_port)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{self.guard.token}/"

    def handle_error(self, request, client_address) -> None:
        """A browser that closes its connection is no news."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: PageServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "basicsr", ""
    error_message_format, error_content_type = "%(message)s\n", "text/plain"
    timeout = 60  # seconds without a byte

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not logged: they hold the token."""

    def _answer(self) -> None:
        self._unread = (stated_length(self.headers) or 0) if self.command == "POST" else 0
        try:
            found = self._find()
        except Refused as error:
            found = as_json({"error": str(error)}, error.status)
        except Missing as error:
            found = as_json({"error": str(error)}, 404)
        except UserError as error:
            found = as_json({"error": in_one_line(error)}, 400)
        except (ConnectionError, TimeoutError):
            raise
        except Exception as error:  # a bug, or too little memory or space on the disk: the page goes on
            found = as_json({"error": f"unexpected {type(error).__name__}: {error}".splitlines()[0]}, 500)
        self._send(found)

    def _find(self) -> Answer:
        path = self.server.guard.check(self.command, self.path, self.headers)
        if self.command == "GET" and path in self.server.assets:
            return Answer(*self.server.assets[path])
        if self.command == "GET" and path == "limits":
            return as_json({"max_upload": self.server.max_upload})
        body = b""
        if self.command == "POST":
            body = read_body(self.rfile, self.headers, self.server.max_upload)
            self._unread = 0
        return answer(self.server.desk, Request(self.command, path, self.path.partition("?")[2], body))

    def _send(self, found: Answer) -> None:
        self.close_connection = self.close_connection or self._unread > 0 or found.status in (403, 411)
        self.send_response(found.status)
        for name, value in (_HEADERS | found.headers).items():
            self.send_header(name, value)
        self.send_header("Content-Type", found.type)
        self.send_header("Content-Length", str(len(found.content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(found.content)
        if self._unread:
            self.wfile.flush()
            discard(self.connection, self.rfile, self._unread)
