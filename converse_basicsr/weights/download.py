"""Downloads of the published weights: resumed, checked, and placed atomically."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import requests
from filelock import FileLock
from tqdm import tqdm

from ..errors import UserError
from ..files.atomic import replacing
from ..files.http import innermost_reason
from .catalogue import Published, sha256_of

_CHUNK = 1 << 16


def download(
    entry: Published,
    folder: Path,
    timeout: float = 30,
    attempts: int = 4,
    pause: float = 0.5,
    overwrite: bool = False,
) -> Path:
    """Download a published file into a folder, unless it is there.

    A download that breaks off is continued, by the next attempt or by the next call. The file gets its name only when
    size and checksum are right. Proxies are taken from the environment (HTTPS_PROXY, NO_PROXY).

    Args:
        entry: the file.
        folder: made if it does not exist.
        timeout: seconds without data after which an attempt ends.
        attempts: how often to try.
        pause: seconds before the second attempt; twice as long before each further one.
        overwrite: whether another file of that name is replaced, once the download is complete.

    Returns:
        The path of the file.

    Raises:
        UserError: there is no connection, or the server sends something else (names address, target and checksum), or
            another file has the name.
    """
    target = folder / entry.file
    if entry.is_at(target):
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / f".{entry.file}.lock"):
            if entry.is_at(target):  # another process was first
                return target
            if target.exists() and not overwrite:
                raise UserError(
                    f"{target} exists, and is not the published file; rename it, give another --dir, or --overwrite"
                )
            print(f"downloading {entry.address}\n{entry.licence}", file=sys.stderr)
            _fetch(entry, target, timeout, attempts, pause)
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror or error}") from error
    return target


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file that does not outlive it.

    Who waits for a lock file that is removed begins again with a new one; filelock sees to that.
    """
    with FileLock(path):
        try:
            yield
        finally:
            with suppress(OSError):  # Windows cannot remove an open file; there filelock removes it
                path.unlink()


def _fetch(entry: Published, target: Path, timeout: float, attempts: int, pause: float) -> None:
    part = target.with_name(f"{target.name}.download")
    for attempt in range(attempts):
        if attempt:
            time.sleep(pause * 2 ** (attempt - 1))
        try:
            _continue(entry, part, timeout)
        except requests.exceptions.ChunkedEncodingError:  # it broke off; the size says where
            pass
        except (requests.ConnectionError, requests.Timeout) as error:
            reason = innermost_reason(error)
            continue
        except requests.RequestException as error:  # the answer is of no use, and asking again will not change it
            reason = innermost_reason(error)
            break
        size = part.stat().st_size
        if size < entry.size:
            reason = f"the connection ended after {size:,} of {entry.size:,} bytes"
        elif entry.is_at(part):
            with replacing(target) as partial:
                os.replace(part, partial)
            return
        else:
            reason = f"the server sent something else (sha256 {sha256_of(part)})"
            part.unlink()
    raise UserError(
        f"cannot download {entry.name}: {reason}. By hand: save {entry.address} as {target} "
        f"({entry.size:,} bytes, sha256 {entry.sha256})"
    )


def _continue(entry: Published, part: Path, timeout: float) -> None:
    """Append to the partial file what it lacks; at most one byte more than the published size."""
    start = part.stat().st_size if part.is_file() else 0
    if start >= entry.size:
        return
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with requests.get(entry.address, headers=headers, stream=True, timeout=timeout) as answer:
        start = _first_byte(entry, answer, start, part)
        with (
            part.open("ab" if start else "wb") as file,
            tqdm(total=entry.size, initial=start, unit="B", unit_scale=True, desc=entry.file, disable=None) as progress,
        ):
            for chunk in answer.iter_content(_CHUNK):
                file.write(chunk[: entry.size + 1 - file.tell()])
                progress.update(len(chunk))
                if file.tell() > entry.size:
                    return


def _first_byte(entry: Published, answer: requests.Response, asked: int, part: Path) -> int:
    """The position in the file of the first byte that the server sends: the one asked for, or 0.

    Raises:
        requests.ConnectionError: the server is busy, or sends another part.
        requests.RequestException: it does not have the file.
    """
    status = f"the server answered {answer.status_code} {answer.reason}"
    if answer.status_code >= 500 or answer.status_code == 429:
        raise requests.ConnectionError(status)
    if answer.status_code == 200:
        length = answer.headers.get("Content-Length", str(entry.size))
        if length != str(entry.size):
            raise requests.RequestException(f"the server has a file of {length} bytes, not {entry.size:,}")
        return 0
    if answer.status_code == 206 and answer.headers.get("Content-Range") == (
        f"bytes {asked}-{entry.size - 1}/{entry.size}"
    ):
        return asked
    if answer.status_code in (206, 416):  # what is here does not fit what the server has
        part.unlink(missing_ok=True)
        raise requests.ConnectionError(f"{status} to a request for the bytes from {asked:,} on")
    raise requests.RequestException(status)
