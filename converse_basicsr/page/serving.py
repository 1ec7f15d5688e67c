"""Running the page until the user ends it."""

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from .choices import Choices
from .desk import Desk
from .server import PageServer


def serve(choices: Choices, device: str | None, port: int, max_upload: int, opened: Callable[[str], None]) -> None:
    """Serve the page until KeyboardInterrupt, then end the restorations and remove the temporary files.

    Args:
        choices: the networks.
        device: for all of them; None: cuda if there is one.
        port: 0: a free one.
        max_upload: bytes.
        opened: called with the address, once it is served.

    Raises:
        UserError: the port cannot be used.
    """
    with tempfile.TemporaryDirectory(prefix="basicsr-page-", ignore_cleanup_errors=True) as folder:
        desk = Desk(Path(folder), choices, device)
        with PageServer(desk, port, max_upload) as server:
            desk.worker.start()
            try:
                threading.Thread(target=opened, args=(server.address,), daemon=True).start()
                server.serve_forever(0.2)
            finally:
                desk.worker.stop()
