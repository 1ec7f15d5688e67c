"""The headers of many images, read by several threads, with a progress bar and a cache."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lmdb
from tqdm import tqdm

from .header_cache import HeaderCache
from .image_header import ImageHeader, bytes_header, file_header
from .lmdb_environment import lmdb_environment, refuse_damaged

_THREADS = 16  # they mostly wait, for a disk or a network
_CHUNK = 64
_DELAY = 1.5  # seconds until the progress bar appears

Header = ImageHeader | str  # or the reason why there is none
Found = tuple[Header, tuple[int, int] | None]  # with (size, mtime_ns) if the cache should store it


def file_headers(root: str | os.PathLike, paths: Sequence[str], title: str) -> list[Header]:
    """The headers of files below a folder, in order; for an unusable file the reason.

    Args:
        root: the folder; the cache has one file for each.
        paths: files to read.
        title: name of the progress bar.
    """
    cache = HeaderCache(root)

    def read(chunk: Sequence[str]) -> list[Found]:
        return [_read_file(path, cache) for path in chunk]

    return _scan(read, paths, cache, title)


def lmdb_headers(root: str | os.PathLike, keys: Sequence[str], title: str) -> list[Header]:
    """The same for the values of an LMDB.

    Raises:
        UserError: the LMDB cannot be opened, or is damaged.
    """
    environment = lmdb_environment(root)
    status = Path(root, "data.mdb").stat()
    stamp = (status.st_size, status.st_mtime_ns)
    cache = HeaderCache(root)
    if any(cache.get(key, *stamp) is None for key in keys):
        refuse_damaged(root)

    def read(chunk: Sequence[str]) -> list[Found]:
        with environment.begin(buffers=True) as transaction:
            return [_read_value(key, transaction, stamp, cache) for key in chunk]

    return _scan(read, keys, cache, title)


def _scan(
    read: Callable[[Sequence[str]], list[Found]], names: Sequence[str], cache: HeaderCache, title: str
) -> list[Header]:
    names = list(names)
    chunks = [names[start : start + _CHUNK] for start in range(0, len(names), _CHUNK)]
    headers, new = [], {}
    executor = ThreadPoolExecutor(_THREADS)
    with tqdm(desc=f"{title}: headers", total=len(names), unit="file", delay=_DELAY, leave=False) as progress:
        try:
            for chunk, results in zip(chunks, executor.map(read, chunks), strict=True):
                progress.update(len(chunk))
                for name, (header, stamp) in zip(chunk, results, strict=True):
                    headers.append(header)
                    if stamp is not None:
                        new[name] = (*stamp, header)
        finally:
            executor.shutdown(cancel_futures=True)  # Ctrl-C must not wait for the rest
    cache.add(new)
    return headers


def _read_file(path: str, cache: HeaderCache) -> Found:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return file_header(path), None
    stamp = (status.st_size, status.st_mtime_ns)
    known = cache.get(path, *stamp)
    if known is not None:
        return known, None
    header = file_header(path)
    return header, None if isinstance(header, str) else stamp


def _read_value(key: str, transaction: lmdb.Transaction, stamp: tuple[int, int], cache: HeaderCache) -> Found:
    known = cache.get(key, *stamp)
    if known is not None:
        return known, None
    try:
        value = transaction.get(key.encode("ascii"))
    except (UnicodeEncodeError, lmdb.Error) as error:
        return f"cannot be read ({error})", None
    if value is None:
        return "meta_info.txt lists it, but data.mdb does not hold it", None
    header = bytes_header(value)
    return header, None if isinstance(header, str) else stamp
