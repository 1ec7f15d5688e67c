"""``io_backend: type: mmengine``: images from a local server, from files, and what is said when that fails."""

import socket
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from tiny import options, write_images, write_options
from unreliable_server import serving

import converse_basicsr.data  # noqa: F401 (registers)
from converse_basicsr.checks.datasets import check_dataset
from converse_basicsr.cli import main
from converse_basicsr.errors import UserError
from converse_basicsr.files.mmengine_backend import MmengineBackend
from converse_basicsr.options.schema import check_schema

from basicsr.data import build_dataset
from basicsr.utils import FileClient

pytest.importorskip("mmengine")


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(in_tmp):
    """The address of a server of the folder data, which has HR, LR and a list of the images."""
    write_images(in_tmp / "data")
    (in_tmp / "list.txt").write_text("".join(f"image{number}.png (64,64,3)\n" for number in range(3)))
    handler = partial(QuietHandler, directory=in_tmp / "data")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def section(kind: str, root: str, **changes) -> dict:
    """Options of a validation set that reads below `root` by mmengine."""
    made = {"name": "set", "type": kind, "dataroot_gt": f"{root}/HR", "meta_info_file": "list.txt"}
    if kind == "PairedImageDataset":
        made["dataroot_lq"] = f"{root}/LR"
    return {**made, "io_backend": {"type": "mmengine"}, **changes}


@pytest.mark.parametrize("kind", ["GroundTruthDataset", "PairedImageDataset"])
def test_images_of_a_server_are_those_of_the_folder(server, kind):
    served, local, stored = (
        build_dataset({**section(kind, root), "io_backend": {"type": backend}, "phase": "val", "scale": 4})
        for root, backend in ((server, "mmengine"), ("data", "mmengine"), ("data", "disk"))
    )
    assert len(served) == len(stored) == 3
    assert served[1]["gt_path"] == f"{server}/HR/image1.png"
    for key in [key for key, value in stored[0].items() if isinstance(value, torch.Tensor)]:
        assert torch.equal(served[1][key], stored[1][key]) and torch.equal(local[1][key], stored[1][key])


def test_a_training_reads_from_a_server(server, capfd):
    changes = {"io_backend": {"type": "mmengine"}, "meta_info_file": "list.txt"}
    changes |= {"dataroot_gt": f"{server}/HR", "dataroot_lq": f"{server}/LR"}
    sets = options()["datasets"]
    datasets = {key: {**value, **changes} for key, value in sets.items()}
    datasets["train"]["num_worker_per_gpu"] = 1
    write_options(Path("tiny.yml"), datasets=datasets)
    assert main(["train", "-opt", "tiny.yml"]) == 0
    printed = capfd.readouterr()
    assert "note: datasets:train: 3 files are on a server; only the first is checked before the run" in printed.err
    assert "psnr" in printed.out + printed.err


FAULTS = {  # how the server answers: what the error says
    "404": "the server answered 404",
    "503": "the server answered 503",
    "a page": "not an image",
    "other content": "not an image",
    "cut": "IncompleteRead",
    "stalling": "timed out",
}


@pytest.mark.parametrize("way", FAULTS)
def test_an_answer_that_is_no_image_is_named(in_tmp, way):
    (in_tmp / "list.txt").write_text("image.png\n")
    backend = {"type": "mmengine", "timeout": 0.3, "attempts": 1}
    with serving(b"content" * 100) as server:
        server.ways = [way]
        with pytest.raises(UserError, match=rf"^datasets:val: .*{server.address}/HR/image\.png.*{FAULTS[way]}"):
            check_dataset("val", section("GroundTruthDataset", server.address, io_backend=backend), "val", None)


def test_a_web_page_instead_of_the_file_is_named(in_tmp):
    (in_tmp / "page.html").write_text("<html>please log in</html>")
    handler = partial(QuietHandler, directory=in_tmp)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.02,)).start()
        address = f"http://127.0.0.1:{running.server_port}/page.html"
        with pytest.raises(UserError, match=rf"cannot read {address}: the server sent a web page \(text/html\)"):
            MmengineBackend().get(address)
        running.shutdown()


def test_a_server_that_cannot_be_reached_is_named():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/a.png"
        with pytest.raises(UserError, match=f"cannot read {address}: Connection refused"):
            MmengineBackend(attempts=1).get(address)


@pytest.mark.parametrize("ways", [["503"], ["429", "cut"], ["stalling"]])
def test_a_busy_server_is_asked_again(ways):
    with serving(b"content") as server:
        server.ways = list(ways)
        assert MmengineBackend(timeout=0.3, attempts=3).get(f"{server.address}/a.png") == b"content"
        assert len(server.paths) == len(ways) + 1


def test_a_file_that_does_not_exist_is_asked_for_once():
    with serving(b"content") as server:
        server.ways = ["404"] * 3
        with pytest.raises(UserError, match="404"):
            MmengineBackend().get(f"{server.address}/a.png")
        assert len(server.paths) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"io_backend": {"type": "disk"}}, "dataroot_gt: .* is an address; write io_backend: type: mmengine"),
        ({"meta_info_file": None}, "meta_info_file: needed, because the files of .*/HR cannot be listed"),
        ({"meta_info_file": "http://h/list.txt"}, "meta_info_file: must be a file here, got the address http"),
        ({"dataroot_gt": "ftp://host/HR"}, r"mmengine has no backend for ftp:// \(it has .*http://"),
        (
            {"io_backend": {"type": "mmengine", "backend_args": {"backend": "htp"}}},
            "backend_args:backend: mmengine has local, .*http.*, got 'htp'",
        ),
        ({"io_backend": {"type": "mmengine", "backend_args": {"port": 1}}}, "backend_args: HTTPBackend.* no argu"),
    ],
)
@pytest.mark.parametrize("kind", ["GroundTruthDataset", "PairedImageDataset"])
def test_wrong_options_are_named(server, kind, changes, message):
    with pytest.raises(UserError, match=f"^datasets:val:.*{message}"):
        check_dataset("val", section(kind, server, **changes), "val", 4)


def test_names_on_a_server_must_differ_in_validation(server, in_tmp):
    (in_tmp / "list.txt").write_text("image1.png\nmore/image1.png\n")
    with pytest.raises(UserError, match=f"{server}/HR/image1.png and .* have the same name"):
        check_dataset("val", section("GroundTruthDataset", server), "val", None)


def test_another_backend_of_mmengine_reads_its_addresses(monkeypatch):
    from mmengine.fileio import LocalBackend
    from mmengine.fileio.backends import backends, prefix_to_backends

    class Shelf(LocalBackend):
        def __init__(self, word: str = "no"):
            self.word = word

        def get(self, filepath: str) -> bytes:
            if filepath.endswith("lost"):
                raise RuntimeError("nobody knows where it is")
            return f"{self.word} {filepath}".encode()

    monkeypatch.setitem(backends, "shelf", Shelf)
    monkeypatch.setitem(prefix_to_backends, "shelf", Shelf)
    client = FileClient("mmengine", backend_args={"word": "yes"})
    assert client.get("shelf://a/b.png", "gt") == b"yes shelf://a/b.png"
    assert FileClient("mmengine", backend_args={"backend": "shelf"}).get_text("c") == "no c"
    with pytest.raises(UserError, match="cannot read shelf://lost: nobody knows where it is"):
        client.get("shelf://lost")


def test_without_mmengine_the_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mmengine", None)
    with pytest.raises(UserError, match="type: mmengine needs mmengine: pip install .*mmengine"):
        FileClient("mmengine")


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        ({"type": "disk", "timeout": 5}, r"io_backend:timeout: type: disk does not read it \(it reads nothing else\)"),
        ({"type": "lmdb", "attempts": 5}, "io_backend:attempts: type: lmdb does not read it .*readonly, lock"),
        ({"type": "mmengine", "lock": True}, "io_backend:lock: type: mmengine does not read it .*backend_args"),
        ({"type": "mmengine", "timeout": 0}, "io_backend:timeout: must be a number above 0, got 0"),
        ({"type": "mmengine", "attempts": 0}, "io_backend:attempts: must be an integer of 1 or more, got 0"),
    ],
)
def test_each_type_has_its_own_keys(backend, message):
    with pytest.raises(UserError, match=message):
        check_schema(options(datasets__train__io_backend=backend), is_train=True)
