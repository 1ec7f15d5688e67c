"""The headers of many images, with a progress bar and a cache."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from ..errors import UserError
from .header_cache import HeaderCache
from .image_header import ImageHeader, file_header
from .lmdb_environment import lmdb_environment

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
    found = _scan(lambda part: [_read(path, cache) for path in part], paths, title)
    cache.add({path: (*stamp, header) for path, (header, stamp) in zip(paths, found, strict=True) if stamp})
    return [header for header, _ in found]


def lmdb_headers(root: str | os.PathLike, keys: Sequence[str], title: str) -> list[Header]:
    """The same for the values of an LMDB; see lmdb_walk for how they are read.

    Raises:
        UserError: the LMDB is truncated or damaged.
    """
    lmdb_environment(root)
    status = Path(root, "data.mdb").stat()
    stamp = (status.st_size, status.st_mtime_ns)
    cache = HeaderCache(root)
    headers = [cache.get(key, *stamp) for key in keys]
    if None not in headers:
        return headers
    found = _walk(root, title, len(keys))
    cache.add({key: (*stamp, header) for key, header in found.items() if not isinstance(header, str)})
    return [found.get(key, "meta_info.txt lists it, but data.mdb does not hold it") for key in keys]


def _scan(read: Callable[[Sequence[str]], list[Found]], paths: Sequence[str], title: str) -> list[Found]:
    """read() of parts of the paths, by several threads."""
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    found, executor = [], ThreadPoolExecutor(_THREADS)
    with _progress(title, len(paths)) as progress:
        try:
            for results in executor.map(read, chunks):
                progress.update(len(results))
                found += results
        finally:
            executor.shutdown(cancel_futures=True)  # Ctrl-C must not wait for the rest
    return found


def _read(path: str, cache: HeaderCache) -> Found:
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


def _walk(root: str | os.PathLike, title: str, total: int) -> dict[str, Header]:
    """The headers of all values of an LMDB by key, read by another process."""
    found, reason = {}, ""
    command = [sys.executable, "-m", f"{__package__}.lmdb_walk", str(root)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with _progress(title, total) as progress, subprocess.Popen(command, env=environment, **streams) as walk:
        try:
            for line in walk.stdout:
                content = json.loads(line) if line.endswith("\n") else ""
                if isinstance(content, str):
                    reason = content
                    continue
                key, header = content
                found[key] = header if isinstance(header, str) else ImageHeader(*header)
                progress.update()
        except BaseException:
            walk.kill()
            raise
    if walk.returncode:
        reason = reason or f"a process that reads it ends with exit code {walk.returncode}"
        raise UserError(f"{Path(root, 'data.mdb')}: damaged ({reason})")
    return found


def _progress(title: str, total: int) -> tqdm:
    return tqdm(desc=f"{title}: headers", total=total, unit="file", delay=_DELAY, leave=False)
