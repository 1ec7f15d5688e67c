"""`basicsr page` as a command, and what an installed package has of it."""

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY
from served_page import LARGE, LONG, RGB, Page, command, encoded


def test_the_command_without_basicsr_ends_cleanly_and_leaves_no_files(tmp_path, tiny_weights):
    folders = {name: str(tmp_path / name) for name in ("TMPDIR", "XDG_CACHE_HOME", "HOME")}
    for folder in folders.values():
        Path(folder).mkdir()
    with command("-m", tiny_weights[0], "--max-upload", "1", **folders) as (process, address):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", address)
        page = Page(address)
        assert np.asarray(page.restored(encoded(RGB), {"network": "given-0"})).shape == (40, 56, 3)
        assert "the limit is 1 MB" in page.error("pictures?name=a.png", bytes(1_000_001), status=413)
        assert any(Path(folders["TMPDIR"]).rglob("*.npy"))
        job = page.start(page.upload(LARGE), LONG)
        assert page.wait(job, "running")
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        printed = process.stdout.read()
        assert process.wait(30) == 0 and time.monotonic() - start < 10
    assert printed == "only this computer can open it; Ctrl-C ends it\nended\n"
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.name.startswith(("basicsr", "taps"))]
    assert not left and not list(Path(folders["TMPDIR"]).glob("basicsr-page-*"))


def run(*arguments: str) -> tuple[int, str]:
    result = subprocess.run(
        [sys.executable, "-m", "converse_basicsr", "page", *arguments], capture_output=True, text=True, timeout=60
    )
    return result.returncode, result.stdout + result.stderr


def test_a_port_that_is_used_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run("--no-browser", "--port", str(port)) == (
            2,
            f"basicsr: error: --port {port}: another program uses it\n",
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--port", "70000"), "--port: must be from 0 to 65535, got 70000"),
        (("--max-upload", "0"), "--max-upload: must be 1 or more, got 0"),
        (("-m", "nothing.pth"), "no such checkpoint: nothing.pth"),
        (("--device", "gpu"), "device: must be cpu, cuda, cuda:N or mps, got 'gpu'"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, message):
    assert run("--no-browser", *arguments) == (2, f"basicsr: error: {message}\n")


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from converse_basicsr.cli import main\ntry: main(['page', '--help'])\nfinally: print(*sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code, "page", "--help"], capture_output=True, text=True).stdout
    assert "--max-upload MB" in printed
    assert not {"torch", "cv2", "PIL", "http.server", "converse_basicsr.page"} & set(printed.split())


def test_a_wheel_has_the_files_of_the_page(tmp_path):
    build = ["setup.py", "-q", "build_py", "--build-lib", str(tmp_path)]
    subprocess.run([sys.executable, *build], cwd=REPOSITORY, check=True, capture_output=True)
    static = Path("converse_basicsr/page/static")
    files = {path.name for path in (REPOSITORY / static).iterdir()}
    assert "index.html" in files and files == {path.name for path in (tmp_path / static).iterdir()}
