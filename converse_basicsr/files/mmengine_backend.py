"""BasicSR's ``io_backend: type: mmengine``: files that mmengine.fileio reads."""

import os
from typing import Any

from ..errors import UserError, plain, shown
from ..extras import install
from .http import fetch, innermost_reason


def is_address(path: str | os.PathLike) -> bool:
    """Whether a path is an address, as http://host/folder or s3://bucket/folder."""
    return "://" in str(path)


class MmengineBackend:
    """A storage backend of BasicSR's FileClient. The address chooses mmengine's backend; a path is a local file.

    mmengine's own HTTP backend waits without end for a server that does not answer. Its place takes fetch().

    Args:
        backend_args: as in mmengine.fileio: ``backend``, a name of mmengine's instead of the address's choice, and the
            arguments of that backend.
        timeout: seconds without data after which an attempt by HTTP ends.
        attempts: how often a server is asked by HTTP.

    Raises:
        UserError: mmengine is not installed.
    """

    def __init__(self, backend_args: dict[str, Any] | None = None, timeout: float = 10, attempts: int = 3):
        try:
            import mmengine.fileio  # noqa: F401
        except ImportError as error:
            raise UserError(f"io_backend: type: mmengine needs mmengine: {install('mmengine')} ({error})") from error
        self.timeout, self.attempts = timeout, attempts
        self._backend_args = backend_args or {}
        self._backends: dict[str, Any] = {}  # by the beginning of the address

    def get(self, filepath: str | os.PathLike) -> bytes:
        """The content of a file.

        Raises:
            UserError: it cannot be read; names it and the reason.
        """
        from mmengine.fileio import HTTPBackend

        path = str(filepath)
        beginning = path[: path.index("://") + 3] if is_address(path) else ""
        if beginning not in self._backends:
            self._backends[beginning] = _backend(beginning, self._backend_args)
        backend = self._backends[beginning]
        if type(backend) is HTTPBackend:
            return fetch(path, self.timeout, self.attempts)
        try:
            return backend.get(path)
        except Exception as error:  # a backend may raise any exception
            raise UserError(f"cannot read {plain(path)}: {innermost_reason(error)}") from error

    def get_text(self, filepath: str | os.PathLike) -> str:
        """The content of a text file in UTF-8; errors as get()."""
        return self.get(filepath).decode("utf-8")


def _backend(beginning: str, backend_args: dict[str, Any]) -> Any:
    """mmengine's backend for addresses that begin like this, as 's3://'; or '', for local files."""
    from mmengine.fileio import get_file_backend
    from mmengine.fileio.backends import backends, prefix_to_backends

    name = backend_args.get("backend")
    if name is not None and name not in backends:
        known = ", ".join(backends)
        raise UserError(f"io_backend:backend_args:backend: mmengine has {known}, got {shown(name)}")
    if name is None and beginning.removesuffix("://").rpartition(":")[2] not in prefix_to_backends:
        known = ", ".join(f"{prefix}://" for prefix in prefix_to_backends if prefix)
        raise UserError(f"io_backend: mmengine has no backend for {plain(beginning)} (it has {known})")
    try:
        return get_file_backend(beginning, backend_args=backend_args)
    except Exception as error:  # wrong arguments, or a package that the backend needs
        raise UserError(f"io_backend:backend_args: {innermost_reason(error)}") from error
