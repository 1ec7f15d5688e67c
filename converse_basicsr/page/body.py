"""Reading what a request sends, within a limit."""

import socket
from email.message import Message
from typing import BinaryIO

from .guard import Refused

MB = 1_000_000
_PART = 1 << 16
_MOST_DISCARDED = 1 << 32  # bytes


def read_body(stream: BinaryIO, headers: Message, limit: int) -> bytes:
    """The body of a request.

    Args:
        stream: of the connection.
        limit: bytes.

    Raises:
        Refused: its length is not stated, is larger than the limit, or more than what comes.
    """
    length = stated_length(headers)
    if length is None:
        raise Refused(411, "the request must state its length (Content-Length)")
    if length > limit:
        raise Refused(
            413,
            f"the file has {length / MB:,.1f} MB; the limit is {limit / MB:,g} MB "
            "(basicsr page --max-upload MB sets another)",
        )
    content = stream.read(length)
    if len(content) < length:
        raise Refused(400, f"only {len(content)} of {length} bytes arrived")
    return content


def stated_length(headers: Message) -> int | None:
    """The one Content-Length of a request that is not chunked, else None."""
    lengths = headers.get_all("Content-Length", [])
    if len(lengths) != 1 or not lengths[0].isascii() or not lengths[0].isdecimal() or "Transfer-Encoding" in headers:
        return None
    return int(lengths[0])


def discard(connection: socket.socket, stream: BinaryIO, length: int, seconds: float = 5) -> None:
    """Read on after an answer that did not wait for the body: closing at once would lose the answer on its way."""
    connection.settimeout(seconds)
    left = min(length, _MOST_DISCARDED)
    try:
        while left > 0 and (part := stream.read1(min(left, _PART))):
            left -= len(part)
    except OSError:  # the browser has gone, or sends nothing more
        pass
