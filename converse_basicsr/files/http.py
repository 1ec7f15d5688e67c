"""Reading a file by HTTP, with a time limit and more than one attempt."""

import time

import requests

from ..errors import UserError, plain


def fetch(address: str, timeout: float = 10, attempts: int = 3, pause: float = 0.5) -> bytes:
    """The content of a file. Proxies are taken from the environment.

    Args:
        address: begins with http:// or https://.
        timeout: seconds without data after which an attempt ends.
        attempts: how often a server that cannot be reached, breaks off or is busy is asked.
        pause: seconds before the second attempt; twice as long before each further one.

    Raises:
        UserError: there is no connection, or the server does not send a file; names the address and the reason.
    """
    for attempt in range(attempts):
        if attempt:
            time.sleep(pause * 2 ** (attempt - 1))
        try:
            answer = requests.get(address, timeout=timeout)
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            reason = innermost_reason(error)
            continue
        except requests.RequestException as error:  # asking again will not change it
            reason = innermost_reason(error)
            break
        if answer.status_code == 200:
            kind = answer.headers.get("Content-Type", "").partition(";")[0]
            if kind != "text/html":
                return answer.content
            reason = "the server sent a web page (text/html), not the file"
            break
        reason = f"the server answered {answer.status_code} {answer.reason}"
        if answer.status_code < 500 and answer.status_code != 429:
            break
    raise UserError(f"cannot read {plain(address)}: {reason}")


def innermost_reason(error: BaseException) -> str:
    """What went wrong, in one line, without the wrapping of requests and urllib3."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0]
