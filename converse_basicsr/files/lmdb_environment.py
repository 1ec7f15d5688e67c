"""LMDBs, opened once per process, and never beyond the end of their file."""

import os
from pathlib import Path

import lmdb

from ..errors import UserError

_open: dict[tuple[int, str], lmdb.Environment] = {}  # (process, real path)


def lmdb_environment(path: str | os.PathLike, **options) -> lmdb.Environment:
    """The open environment of an LMDB: lmdb refuses to open the same one twice in a process.

    Args:
        path: the folder that holds data.mdb.
        options: those of lmdb.open; they count only for the first call.

    Raises:
        UserError: data.mdb is missing, damaged or shorter than it says (reading on would end the process by SIGBUS).
    """
    key = (os.getpid(), os.path.realpath(path))
    for inherited in [other for other in _open if other[0] != key[0]]:
        _open.pop(inherited).close()  # opened before a fork: unusable here, but lmdb reports it as open
    if key not in _open:
        data = Path(path, "data.mdb")
        if not data.is_file():
            raise UserError(f"{path}: the LMDB has no file data.mdb")
        try:
            environment = lmdb.open(str(path), **{"readonly": True, "lock": False, "readahead": False, **options})
        except lmdb.Error as error:
            raise UserError(f"{data}: damaged or truncated ({error})") from error
        needed = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
        if data.stat().st_size < needed:
            environment.close()
            raise UserError(f"{data}: truncated: it has {data.stat().st_size} bytes, and its header says {needed}")
        _open[key] = environment
    return _open[key]
