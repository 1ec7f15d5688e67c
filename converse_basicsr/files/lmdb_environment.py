"""LMDBs, opened once per process, and never beyond the end of their file."""

import os
import subprocess
import sys
from pathlib import Path

import lmdb

from ..errors import UserError

_WALK = """
import lmdb, sys
with lmdb.open(sys.argv[1], readonly=True, lock=False) as environment, environment.begin(buffers=True) as transaction:
    expected = environment.stat()["entries"]
    for number, (key, value) in enumerate(transaction.cursor(), start=1):
        bytes(value[-1:])
        if number > expected:
            sys.exit("it has more entries than it says")
"""
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


def refuse_damaged(path: str | os.PathLike) -> None:
    """Visit every entry of an LMDB in another process: LMDB has no checksums, and a damaged page can end the process.

    Raises:
        UserError: data.mdb is damaged.
    """
    walk = subprocess.run([sys.executable, "-c", _WALK, str(path)], capture_output=True, text=True)
    if walk.returncode:
        reason = (walk.stderr.strip() or f"reading it ends a process with signal {-walk.returncode}").splitlines()[-1]
        raise UserError(f"{Path(path, 'data.mdb')}: damaged ({reason})")
