"""The local page, served for tests, and a client that asks it."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from converse_basicsr.page.choices import Choices
from converse_basicsr.page.desk import Desk
from converse_basicsr.page.server import PageServer

RGB = np.random.default_rng(0).integers(0, 256, (20, 28, 3), dtype=np.uint8)
LONG = {"network": "given-0", "tile": 16, "overlap": 12}  # of LARGE: thousands of tiles
LIMIT = 300_000  # bytes of an upload


class Page:
    """Asks the page; what is not 2xx is returned as well."""

    def __init__(self, address: str):
        self.address = address

    def ask(self, path: str, body: bytes | None = None, **headers) -> tuple[int, bytes, dict]:
        request = urllib.request.Request(self.address + path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, response.read(), dict(response.headers)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), dict(error.headers)

    def json(self, path: str, body: bytes | None = None, status: int = 200) -> dict:
        found, content, headers = self.ask(path, body)
        assert (found, headers["Content-Type"]) == (status, "application/json"), content
        return json.loads(content)

    def error(self, path: str, body: bytes | None = None, status: int = 400) -> str:
        message = self.json(path, body, status)["error"]
        assert message and "\n" not in message
        return message

    def upload(self, content: bytes, name: str = "photo.png") -> dict:
        return self.json(f"pictures?name={quote(name)}", content, 201)

    def start(self, picture: dict, settings: dict) -> dict:
        return self.json(f"jobs?picture={picture['id']}", json.dumps(settings).encode(), 201)

    def wait(self, job: dict, *states: str) -> dict:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            job = self.json(f"jobs/{job['id']}")
            if job["state"] in (states or ("done", "failed", "cancelled")):
                return job
            time.sleep(0.02)
        raise AssertionError(f"still {job}")

    def restored(self, content: bytes, settings: dict, format: str = "png", name: str = "photo.png") -> np.ndarray:
        job = self.wait(self.start(self.upload(content, name), settings))
        assert job["state"] == "done", job["error"]
        status, result, _ = self.ask(f"jobs/{job['id']}/result?format={format}")
        assert status == 200, result
        return np.asarray(Image.open(io.BytesIO(result)))


def encoded(pixels: np.ndarray, format: str = "PNG") -> bytes:
    """The content of an image file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format)
    return buffer.getvalue()


LARGE = encoded(np.zeros((300, 300), np.uint8))


@contextmanager
def served(folder: Path, choices: Choices, max_upload: int = LIMIT) -> Iterator[PageServer]:
    desk = Desk(folder, choices)
    with PageServer(desk, 0, max_upload) as server:
        desk.worker.start()
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
    desk.worker.stop()


@contextmanager
def served_without_published(folder: Path, weights: list[str]) -> Iterator[PageServer]:
    """A page with these weights, on a computer without published ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVERSE_ASSETS", str(folder / "none"))
        patch.setenv("XDG_CACHE_HOME", str(folder / "none"))
        choices = Choices(weights)
    with served(folder, choices) as server:
        yield server


@contextmanager
def command(*arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen, str]]:
    """`basicsr page` in a process; yields it and its address, and interrupts it as Ctrl-C does."""
    code = "import sys; sys.modules['basicsr'] = None; from converse_basicsr.cli import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "page", "--no-browser", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **environment},
    )  # fmt: skip
    try:
        yield process, process.stdout.readline().strip()
        process.send_signal(signal.SIGINT)
        process.wait(30)
    finally:
        process.kill()
        process.stdout.close()
