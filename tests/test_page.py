"""The local page, asked by urllib: who is answered, what is refused, and restorations from line to download."""

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote, urlencode

import numpy as np
import pytest
import torch
from conftest import REPOSITORY
from PIL import Image

from converse_basicsr import deconvolve, load_network, restore
from converse_basicsr.files.checkpoint import save_file
from converse_basicsr.networks import ConverseSRResNet, ConverseUSRNet, DnCNN
from converse_basicsr.page.choices import Choices
from converse_basicsr.page.desk import Desk
from converse_basicsr.page.server import PageServer
from converse_basicsr.weights.catalogue import PUBLISHED

RANDOM = np.random.default_rng(0)
RGB = RANDOM.integers(0, 256, (20, 28, 3), dtype=np.uint8)
LONG = {"network": "given-0", "tile": 16, "overlap": 12}  # of LARGE: thousands of tiles
DEBLUR = {"network": "converse2d", "kernel": "gaussian:1.5", "lam": 0.01}
LIMIT = 300_000
NETWORKS = {
    "sr": (ConverseSRResNet, {"num_feat": 4, "num_block": 1, "upscale": 2}),
    "usr": (ConverseUSRNet, {"num_feat": 4, "num_block": 1, "num_iterations": 1}),
    "gray": (DnCNN, {"num_feat": 4, "num_layer": 2}),
}


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
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format)
    return buffer.getvalue()


LARGE = encoded(np.zeros((300, 300), np.uint8))


@contextmanager
def served(folder: Path, choices: Choices, max_upload: int = LIMIT):
    desk = Desk(folder, choices)
    with PageServer(desk, 0, max_upload) as server:
        desk.worker.start()
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
    desk.worker.stop()


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    for name, (network, options) in NETWORKS.items():
        content = {"params": network(**options).state_dict(), "network_options": {"type": network.__name__, **options}}
        save_file(content, folder / f"{name}.pth")
    return [str(folder / f"{name}.pth") for name in NETWORKS]


@pytest.fixture(scope="module")
def server(tmp_path_factory, weights):
    """A page with sr, usr and gray as given-0 to given-2, on a computer without published weights."""
    with pytest.MonkeyPatch.context() as patch:
        empty = tmp_path_factory.mktemp("empty")
        patch.setenv("CONVERSE_ASSETS", str(empty / "none"))
        patch.setenv("XDG_CACHE_HOME", str(empty))
        choices = Choices(weights)
    with served(tmp_path_factory.mktemp("page"), choices) as server:
        yield server


@pytest.fixture
def page(server) -> Page:
    return Page(server.address)


def raw(server, method: str, target: str, headers: dict, body: bytes = b"") -> tuple[int, bytes]:
    """A request with exactly these headers."""
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


# Who is answered.


def test_it_listens_on_this_computer_only(server):
    assert server.socket.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("path", ["", "networks", "page.js", "limits", "jobs/0123456789abcdef"])
@pytest.mark.parametrize("token", ["", "x/", "é/", "A" * 32 + "/"])
def test_nothing_is_answered_without_the_token(server, path, token):
    base = f"http://127.0.0.1:{server.server_port}/"
    assert "token" in Page(base).error(quote(token) + path, status=403)


def test_a_post_without_the_token_is_refused(server):
    base = f"http://127.0.0.1:{server.server_port}/"
    assert "token" in Page(base).error("x/pictures?name=a.png", encoded(RGB), status=403)


def test_the_token_is_random_and_long(tmp_path, server):
    with served(tmp_path, Choices()) as other:
        tokens = {each.address.split("/")[3] for each in (server, other)}
    assert len(tokens) == 2 and all(len(token) >= 32 for token in tokens)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "evil.example:{port}", "", None])
def test_another_host_is_refused(server, host):
    headers = {} if host is None else {"Host": host.format(port=server.server_port)}
    status, content = raw(server, "GET", f"/{server.guard.token}/", headers)
    assert status == 403 and b"this computer" in content


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST"])
def test_names_of_this_computer_are_answered(server, host):
    assert raw(server, "GET", f"/{server.guard.token}/", {"Host": f"{host}:{server.server_port}"})[0] == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1"])
def test_another_origin_is_refused(page, server, origin):
    origin = origin.format(port=server.server_port)
    status, content, _ = page.ask("pictures?name=a.png", encoded(RGB), Origin=origin)
    assert status == 403 and b"another page" in content
    assert page.ask("networks", None, **{"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert page.ask("", None, **{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"})[0] == 403


def test_a_link_to_the_page_can_be_followed(page):
    assert page.ask("", None, **{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"})[0] == 200


def test_its_own_origin_is_answered(page, server):
    origin = f"http://127.0.0.1:{server.server_port}"
    assert page.ask("pictures?name=a.png", encoded(RGB), Origin=origin)[0] == 201


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(server, method):
    status, _ = raw(server, method, f"/{server.guard.token}/", {"Host": f"127.0.0.1:{server.server_port}"})
    assert status == 501


@pytest.mark.parametrize(
    "path",
    [
        *("../setup.py", "../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "..%2f..%2fetc%2fpasswd", "/etc/passwd"),
        *("./page.js", "static/page.js", "page.js/", "page.js%00", "__init__.py", "..\\server.py", "index.html"),
        *("pictures/../page.js", "jobs/x", "jobs/0123456789abcdef/../../page.js"),
    ],
)
def test_no_path_leads_out_of_the_page(server, path):
    target = f"/{server.guard.token}/{path}"
    status, content = raw(server, "GET", target, {"Host": f"127.0.0.1:{server.server_port}"})
    assert status == 404 and b"nothing at this address" in content


# The files of the page.


def test_every_answer_has_a_strict_policy(page):
    for path in ("", "page.js", "networks", "nowhere"):
        headers = page.ask(path)[2]
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy and "http" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in headers


def test_the_page_needs_nothing_from_elsewhere(server):
    """No address with a host, nothing inline; every file that is named is served."""
    assert {"", "page.js", "page.css", "icon.svg"} <= set(server.assets)
    for name, (kind, content) in server.assets.items():
        text = content.decode().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|wss?:|[\"'(]//|@import|url\(|data:|localStorage|eval\(", text), name
        if kind.startswith("text/html"):
            assert not re.search(r"\sstyle=|\son\w+=|<style|javascript:", text)
            assert all(not inside.strip() for inside in re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL))
            named = re.findall(r"(?:src|href)=\"([^\"]+)\"", text)
            assert len(named) >= 4 and set(named) <= set(server.assets)
        for module in re.findall(r"from \"\./([^\"]+)\"", text):
            assert module in server.assets


def test_every_label_and_script_finds_its_element(server):
    html = server.assets[""][1].decode()
    ids = re.findall(r"\sid=\"([^\"]+)\"", html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"\sfor=\"([^\"]+)\"", html)) <= set(ids)
    scripts = "".join(content.decode() for name, (_, content) in server.assets.items() if name.endswith(".js"))
    assert set(re.findall(r"\$\(\"([^\"]+)\"\)", scripts)) <= set(ids)


# What is sent.


def test_a_file_at_the_limit_is_read_and_a_larger_one_refused(page):
    content = encoded(RGB)
    assert page.upload(content + bytes(LIMIT - len(content)))["width"] == 28
    message = page.error("pictures?name=a.png", content + bytes(LIMIT - len(content) + 1), status=413)
    assert message == "the file has 0.3 MB; the limit is 0.3 MB (basicsr page --max-upload MB sets another)"


def test_a_file_far_above_the_limit_gets_its_answer_and_the_page_goes_on(page):
    for _ in range(3):  # a connection that is closed too early is reset, and the answer is lost
        message = page.error("pictures?name=a.png", bytes(40_000_000), status=413)
        assert message.startswith("the file has 40.0 MB; the limit is 0.3 MB")
    assert page.json("limits") == {"max_upload": LIMIT}


@pytest.mark.parametrize(
    "headers",
    [{}, {"Content-Length": "-1"}, {"Content-Length": "x"}, {"Content-Length": "²"}, {"Transfer-Encoding": "chunked"}],
)
def test_the_length_must_be_stated(server, headers):
    headers = {"Host": f"127.0.0.1:{server.server_port}", **headers}
    status, content = raw(server, "POST", f"/{server.guard.token}/pictures?name=a.png", headers)
    assert status == 411 and b"Content-Length" in content


def test_a_file_that_does_not_come_whole_is_no_picture(page, server):
    with socket.create_connection(("127.0.0.1", server.server_port)) as connection:
        head = f"POST /{server.guard.token}/pictures?name=a.png HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\n"
        connection.sendall(f"{head}Content-Length: 1000\r\n\r\n".encode() + encoded(RGB)[:500])
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").read()
    assert b" 400 " in answer and b"only 500 of 1000 bytes arrived" in answer
    assert page.json("limits")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "photo.png: empty"),
        (b"no picture", "photo.png: "),
        (encoded(RGB)[:-200], "photo.png: damaged"),
        (encoded(RGB, "TIFF")[:300], "photo.png: "),
    ],
)
def test_a_damaged_picture_is_one_line(page, content, message):
    assert page.error("pictures?name=photo.png", content).startswith(message)


def test_what_the_page_is_told_of_a_picture(page):
    told = page.upload(encoded(np.dstack([RGB, RGB[..., :1]])), "a photo.png")
    assert (told["width"], told["height"], told["channels"], told["bits"], told["alpha"]) == (28, 20, 3, 8, True)
    assert told["format"] == "png" and [each["id"] for each in told["formats"]] == ["png", "webp", "tiff"]
    assert told["formats"][0]["name"] == "a photo_restored.png"
    told = page.upload(encoded(RGB[..., 0].astype(np.uint16) * 257), "deep.PNG")
    assert (told["channels"], told["bits"], told["formats"][0]["name"]) == (1, 16, "deep_restored.PNG")


@pytest.mark.parametrize(
    ("name", "shown"),
    [("../../etc/x.png", "x.png"), ("C:\\photos\\x.png", "x.png"), ("a\nb\0.png", "ab.png"), ("..", "picture")],
)
def test_a_name_has_no_folders_and_no_control_characters(page, name, shown):
    assert page.upload(encoded(RGB), name)["name"] == shown


def test_the_picture_is_shown_as_png(page):
    told = page.upload(encoded(RGB, "TIFF"), "scan.tif")
    status, content, headers = page.ask(f"pictures/{told['id']}")
    assert (status, headers["Content-Type"]) == (200, "image/png")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), RGB)


# Blur kernels.


def test_a_blur_kernel_is_uploaded_and_used(page, tmp_path):
    taps = np.outer([1, 2, 1], [1, 3, 1])
    np.save(tmp_path / "taps.npy", taps)
    id = page.json("kernels?name=taps.npy", (tmp_path / "taps.npy").read_bytes(), 201)["id"]
    shown = np.asarray(Image.open(io.BytesIO(page.ask(f"kernel?kernel={id}")[1])))
    assert np.abs(shown - taps / 6 * 255).max() <= 0.5001
    assert np.array_equal(page.restored(encoded(RGB), DEBLUR | {"kernel": id}), deconvolve(RGB, taps, lam=0.01))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", b"nothing", "a.npy: not a readable .npy file"),
        ("a.exe", b"", "a.exe: a blur kernel must be a file .npy, .mat, .png"),
        ("a", b"", "a: a blur kernel must be a file .npy, .mat, .png"),
    ],
)
def test_a_wrong_blur_kernel_is_one_line(page, name, content, message):
    assert page.error(f"kernels?name={name}", content).startswith(message)


@pytest.mark.parametrize("kernel", ["/etc/kernel.npy", "taps.npy", "gaussian:0", "motion:3", "gaussian:a", ""])
def test_a_kernel_is_a_formula_or_an_upload_never_a_path(page, tmp_path, monkeypatch, kernel):
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "taps.npy", np.ones((3, 3)))
    assert page.error(f"kernel?{urlencode({'kernel': kernel})}").startswith("kernel: ")
    job = page.wait(page.start(page.upload(encoded(RGB)), DEBLUR | {"kernel": kernel}))
    assert job["state"] == "failed" and job["error"].startswith("kernel: ")


# Restorations.


def test_the_networks_that_are_offered(page):
    networks = {each["id"]: each for each in page.json("networks")}
    assert networks["given-0"] == {
        "id": "given-0",
        "label": "sr.pth",
        "task": "",
        "words": "ConverseSRResNet x2 (1 block of 4 channels), as the file says",
        "usable": True,
        "channels": 3,
        "scale": 2,
        "takes_kernel": False,
    }
    assert networks["given-1"]["takes_kernel"] and networks["given-2"]["channels"] == 1
    absent = networks["converse_srresnet"]
    assert not absent["usable"] and "basicsr weights get converse_srresnet" in absent["words"]


def test_a_published_name_is_offered_with_its_task(assets, tmp_path):
    with served(tmp_path, Choices(["conversenet"])) as server:
        networks = Page(server.address).json("networks")
    assert networks[0]["id"] == "conversenet" and len(networks) == len(PUBLISHED)
    assert networks[0]["task"] == "blind deblurring" and networks[0]["usable"]


def test_the_result_is_that_of_restore(page, weights):
    network = load_network(weights[0])
    assert np.array_equal(page.restored(encoded(RGB), {"network": "given-0"}), restore(RGB, network))
    settings = {"network": "given-0", "x8": True, "tile": 16, "overlap": 4}
    with pytest.warns(UserWarning, match="tile"):
        expected = restore(RGB, network, x8=True, tile=16, overlap=4)
    assert np.array_equal(page.restored(encoded(RGB), settings), expected)


def test_the_operators_result_is_that_of_deconvolve(page):
    expected = deconvolve(RGB, "gaussian:1.5", lam=0.01)
    assert not np.array_equal(expected, RGB)
    assert np.array_equal(page.restored(encoded(RGB), DEBLUR), expected)
    settings = {"network": "converse2d", "kernel": "motion:4,30", "sigma": 2, "scale": 2, "borders": "circular"}
    expected = deconvolve(RGB, "motion:4,30", lam=0.12, scale=2, borders="circular")
    assert np.array_equal(page.restored(encoded(RGB), settings), expected)


def test_a_network_with_a_kernel(page, weights):
    settings = {"network": "given-1", "kernel": "gaussian:1", "scale": 2}
    expected = restore(RGB, load_network(weights[1]), kernel="gaussian:1", scale=2)
    assert np.array_equal(page.restored(encoded(RGB), settings), expected)


def test_a_transparent_picture_and_its_progress(page, weights):
    rgba = np.dstack([RGB, np.arange(560, dtype=np.uint8).reshape(20, 28)])
    picture = page.upload(encoded(rgba))
    job = page.wait(page.start(picture, {"network": "given-0"}))
    assert job["share"] == 1
    shown = np.asarray(Image.open(io.BytesIO(page.ask(f"jobs/{job['id']}/preview")[1])))
    assert np.array_equal(shown, restore(rgba, load_network(weights[0])))
    message = page.error(f"jobs/{job['id']}/result?format=jpeg")
    assert message.startswith("JPEG cannot hold its transparency")


@pytest.mark.parametrize("channels", ["y", "each"])
def test_a_gray_network_on_colours(page, weights, channels):
    expected = restore(RGB, load_network(weights[2]), channels=channels)
    assert np.array_equal(page.restored(encoded(RGB), {"network": "given-2", "channels": channels}), expected)


def test_16_bits_stay_16_bits(page, weights):
    deep = RANDOM.integers(0, 65536, (20, 28), dtype=np.uint16)
    expected = restore(deep, load_network(weights[2]))
    found = page.restored(encoded(deep), {"network": "given-2"})
    assert found.dtype == np.uint16 and np.array_equal(found, expected)


def test_the_download_has_the_chosen_format_and_a_safe_name(page):
    job = page.wait(page.start(page.upload(encoded(RGB, "JPEG"), 'süß "1".JPG'), DEBLUR))
    for format, quality, name in (("jpeg", 90, 'süß "1"_restored.JPG'), ("tiff", None, 'süß "1"_restored.tif')):
        suffix = "" if quality is None else f"&quality={quality}"
        status, content, headers = page.ask(f"jobs/{job['id']}/result?format={format}{suffix}")
        assert status == 200 and Image.open(io.BytesIO(content)).format == format.upper()
        assert headers["Content-Disposition"] == f"attachment; filename*=UTF-8''{quote(name)}"
    low = page.ask(f"jobs/{job['id']}/result?format=jpeg&quality=10")[1]
    assert len(low) < len(page.ask(f"jobs/{job['id']}/result?format=jpeg&quality=95")[1])
    for query in ("format=exe", "format=jpeg&quality=0", "format=jpeg&quality=x", "", "format=png&format=bmp"):
        page.error(f"jobs/{job['id']}/result?{query}")


def test_the_result_is_shown_as_png(page):
    job = page.wait(page.start(page.upload(encoded(RGB)), {"network": "given-0"}))
    assert (job["result"]["width"], job["result"]["height"], job["share"]) == (56, 40, 1)
    status, content, headers = page.ask(f"jobs/{job['id']}/preview")
    assert (status, headers["Content-Type"]) == (200, "image/png")
    assert Image.open(io.BytesIO(content)).size == (56, 40)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ([], "settings: must be an object that names a network"),
        ({}, "settings: must be an object that names a network"),
        ({"network": "given-0", "colour": 1}, "settings: colour is not known"),
        ({"network": "given-0", "scale": 2.5}, "scale: must be an integer, got 2.5"),
        ({"network": "given-0", "x8": 1}, "x8: must be true or false, got 1"),
        ({"network": "given-0", "tile": True}, "tile: must be an integer, got True"),
        ({"network": ["given-0"]}, "network: must be a string"),
        ({"network": "given-0", "lam": 0.1}, "lam: has no effect with given-0"),
        ({**DEBLUR, "x8": True}, "x8: has no effect with converse2d"),
        ({**DEBLUR, "sigma": 2}, "sigma: give lam or sigma, not both"),
        ({"network": "converse2d"}, "converse2d needs the blur kernel"),
    ],
)
def test_wrong_settings_are_refused_at_once(page, settings, message):
    picture = page.upload(encoded(RGB))
    assert page.error(f"jobs?picture={picture['id']}", json.dumps(settings).encode()).startswith(message)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_settings_that_are_no_json_are_refused(page, body):
    picture = page.upload(encoded(RGB))
    assert page.error(f"jobs?picture={picture['id']}", body) == "settings: must be JSON"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"network": "nothing"}, "network: the page has no 'nothing'"),
        ({"network": "converse_dncnn"}, "converse_dncnn: not here yet"),
        ({"network": "given-1"}, "ConverseUSRNet needs the blur kernel"),
        ({"network": "given-0", "scale": 3}, "scale: ConverseSRResNet has scale 2"),
        ({"network": "given-0", "memory": "much"}, "memory: must be a size"),
        ({"network": "given-0", "tile": 8}, "overlap: must be 0 or more, and less than the tile"),
        ({**DEBLUR, "lam": 0}, "lam: must be above 0"),
    ],
)
def test_a_restoration_that_fails_says_why_and_the_next_one_runs(page, settings, message):
    job = page.wait(page.start(page.upload(encoded(RGB)), settings))
    assert job["state"] == "failed" and job["error"].startswith(message) and "\n" not in job["error"]
    assert "no result" in page.error(f"jobs/{job['id']}/result?format=png", status=404)
    assert page.wait(page.start(page.upload(encoded(RGB)), DEBLUR))["state"] == "done"


def test_what_is_not_there_is_said(page):
    assert "no longer here" in page.error("jobs/0123456789abcdef", status=404)
    assert "no longer here" in page.error("pictures/0123456789abcdef", status=404)
    assert "no longer here" in page.error("jobs?picture=0123456789abcdef", b"{}", status=404)


def test_one_restores_and_the_others_wait_their_turn(page):
    large = page.upload(LARGE)
    first = page.start(large, LONG)
    assert page.wait(first, "running")["place"] == 0
    second = page.start(page.upload(encoded(RGB)), {"network": "given-0"})
    third = page.start(page.upload(encoded(RGB)), DEBLUR)
    assert [(each["state"], each["place"]) for each in (second, third)] == [("waiting", 1), ("waiting", 2)]
    while not page.json(f"jobs/{first['id']}")["remaining"]:
        time.sleep(0.05)
    assert 0 < page.json(f"jobs/{first['id']}")["share"] < 1
    cancelled = page.json(f"jobs/{second['id']}/cancel", b"")
    assert cancelled["state"] == "cancelled"  # one that waits ends at once
    assert page.json(f"jobs/{third['id']}")["place"] == 1
    page.json(f"jobs/{first['id']}/cancel", b"")
    assert page.wait(first)["state"] == "cancelled"
    assert "no result" in page.error(f"jobs/{first['id']}/preview", status=404)
    assert page.wait(third)["state"] == "done"
    assert page.json(f"jobs/{third['id']}/cancel", b"")["state"] == "done"


def test_the_line_has_an_end(page):
    first = page.start(page.upload(LARGE), LONG)
    picture = page.upload(encoded(RGB))
    waiting = [page.start(picture, DEBLUR) for _ in range(20)]
    message = page.error(f"jobs?picture={picture['id']}", json.dumps(DEBLUR).encode())
    assert message.startswith("20 restorations wait already")
    for job in (first, *waiting):
        page.json(f"jobs/{job['id']}/cancel", b"")
    assert page.wait(first)["state"] == "cancelled"


def test_progress_and_cancel_reach_into_a_call_of_the_network(tmp_path, tmp_path_factory):
    """One call for the whole picture: its blocks are counted."""
    network = ConverseSRResNet(num_feat=8, num_block=12, upscale=2)
    options = {"type": "ConverseSRResNet", "num_feat": 8, "num_block": 12, "upscale": 2}
    save_file({"params": network.state_dict(), "network_options": options}, tmp_path / "deep.pth")
    with served(tmp_path_factory.mktemp("page"), Choices([str(tmp_path / "deep.pth")])) as server:
        page = Page(server.address)
        picture = page.upload(LARGE)
        job, shares = page.start(picture, {"network": "given-0"}), []
        while not shares or 0 <= shares[-1] < 0.1:
            shares.append(page.json(f"jobs/{job['id']}")["share"])
        assert 0 < shares[-1] < 1
        page.json(f"jobs/{job['id']}/cancel", b"")
        assert page.wait(job)["state"] == "cancelled"
        again = page.wait(page.start(picture, {"network": "given-0"}))
        assert again["state"] == "done" and again["share"] == 1 and not again["notes"]


def test_old_pictures_and_their_files_are_forgotten(tmp_path, weights):
    with served(tmp_path, Choices()) as server:
        page = Page(server.address)
        page.json("networks")
        pictures = [page.upload(encoded(RGB)) for _ in range(20)]
        jobs = [page.wait(page.start(pictures[-1], DEBLUR)) for _ in range(20)]
        assert "no longer here" in page.error(f"pictures/{pictures[0]['id']}", status=404)
        assert "no longer here" in page.error(f"jobs/{jobs[0]['id']}", status=404)
        assert page.ask(f"pictures/{pictures[-1]['id']}")[0] == 200
        assert page.ask(f"jobs/{jobs[-1]['id']}/preview")[0] == 200
        assert len(list(tmp_path.iterdir())) < 30


# The command.


@contextmanager
def command(*arguments: str, **environment: str):
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


def test_the_command_without_basicsr_ends_cleanly_and_leaves_no_files(tmp_path, weights):
    folders = {name: str(tmp_path / name) for name in ("TMPDIR", "XDG_CACHE_HOME", "HOME")}
    for folder in folders.values():
        Path(folder).mkdir()
    with command("-m", weights[0], "--max-upload", "1", **folders) as (process, address):
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
