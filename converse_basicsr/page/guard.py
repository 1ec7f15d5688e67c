"""Which requests are answered: those that know the token, and come from this computer and this page."""

import hmac
import secrets
from email.message import Message

HOSTS = ("127.0.0.1", "localhost")


class Refused(Exception):
    """A request that is not answered; status is the HTTP status."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class Guard:
    """Checks requests.

    Args:
        port: of the server.

    Attributes:
        token: random; the first part of every path.
    """

    def __init__(self, port: int):
        self.token = secrets.token_urlsafe(24)
        self._hosts = {f"{host}:{port}" for host in HOSTS} | (set(HOSTS) if port == 80 else set())

    def check(self, method: str, target: str, headers: Message) -> str:
        """The path behind the token.

        The Host header stops pages whose name was made to point to this computer (DNS rebinding), Origin and
        Sec-Fetch-Site stop requests of other pages.

        Raises:
            Refused: the request may not be answered.
        """
        hosts = headers.get_all("Host", [])
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            raise Refused(403, "this page is only for addresses of this computer")
        is_followed = method == "GET" and headers.get("Sec-Fetch-Dest") == "document"  # a link, as in a web terminal
        if headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none") and not is_followed:
            raise Refused(403, "another page may not use this one")
        origins = headers.get_all("Origin", [])
        if method == "POST" and any(origin.removeprefix("http://") not in self._hosts for origin in origins):
            raise Refused(403, "another page may not use this one")
        path = target.partition("?")[0]
        token, slash, rest = path.removeprefix("/").partition("/")
        if not path.startswith("/") or not hmac.compare_digest(token.encode(), self.token.encode()):
            raise Refused(403, "the address lacks its token; use the one that `basicsr page` has printed")
        if not slash:
            raise Refused(404, "the address ends with /")
        return rest
