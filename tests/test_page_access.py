"""The local page's HTTP server: who is answered, the files that it serves, and what may be sent."""

import io
import re
import socket
from http.client import HTTPConnection
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from served_page import LIMIT, RGB, Page, encoded, served

from converse_basicsr.page.choices import Choices


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


def test_it_listens_on_this_computer_only(page_server):
    assert page_server.socket.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("path", ["", "networks", "page.js", "limits", "jobs/0123456789abcdef"])
@pytest.mark.parametrize("token", ["", "x/", "é/", "A" * 32 + "/"])
def test_nothing_is_answered_without_the_token(page_server, path, token):
    base = f"http://127.0.0.1:{page_server.server_port}/"
    assert "token" in Page(base).error(quote(token) + path, status=403)


def test_a_post_without_the_token_is_refused(page_server):
    base = f"http://127.0.0.1:{page_server.server_port}/"
    assert "token" in Page(base).error("x/pictures?name=a.png", encoded(RGB), status=403)


def test_the_token_is_random_and_long(tmp_path, page_server):
    with served(tmp_path, Choices()) as other:
        tokens = {each.address.split("/")[3] for each in (page_server, other)}
    assert len(tokens) == 2 and all(len(token) >= 32 for token in tokens)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "evil.example:{port}", "", None])
def test_another_host_is_refused(page_server, host):
    headers = {} if host is None else {"Host": host.format(port=page_server.server_port)}
    status, content = raw(page_server, "GET", f"/{page_server.guard.token}/", headers)
    assert status == 403 and b"this computer" in content


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST"])
def test_names_of_this_computer_are_answered(page_server, host):
    headers = {"Host": f"{host}:{page_server.server_port}"}
    assert raw(page_server, "GET", f"/{page_server.guard.token}/", headers)[0] == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1"])
def test_another_origin_is_refused(page, page_server, origin):
    origin = origin.format(port=page_server.server_port)
    status, content, _ = page.ask("pictures?name=a.png", encoded(RGB), Origin=origin)
    assert status == 403 and b"another page" in content
    assert page.ask("networks", None, **{"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert page.ask("", None, **{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"})[0] == 403


def test_a_link_to_the_page_can_be_followed(page):
    assert page.ask("", None, **{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"})[0] == 200


def test_its_own_origin_is_answered(page, page_server):
    origin = f"http://127.0.0.1:{page_server.server_port}"
    assert page.ask("pictures?name=a.png", encoded(RGB), Origin=origin)[0] == 201


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(page_server, method):
    headers = {"Host": f"127.0.0.1:{page_server.server_port}"}
    status, _ = raw(page_server, method, f"/{page_server.guard.token}/", headers)
    assert status == 501


@pytest.mark.parametrize(
    "path",
    [
        *("../setup.py", "../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "..%2f..%2fetc%2fpasswd", "/etc/passwd"),
        *("./page.js", "static/page.js", "page.js/", "page.js%00", "__init__.py", "..\\server.py", "index.html"),
        *("pictures/../page.js", "jobs/x", "jobs/0123456789abcdef/../../page.js"),
    ],
)
def test_no_path_leads_out_of_the_page(page_server, path):
    target = f"/{page_server.guard.token}/{path}"
    status, content = raw(page_server, "GET", target, {"Host": f"127.0.0.1:{page_server.server_port}"})
    assert status == 404 and b"nothing at this address" in content


# The files of the page.


def test_every_answer_has_a_strict_policy(page):
    for path in ("", "page.js", "networks", "nowhere"):
        headers = page.ask(path)[2]
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy and "http" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in headers


def test_the_page_needs_nothing_from_elsewhere(page_server):
    """No address with a host, nothing inline; every file that is named is served."""
    assert {"", "page.js", "page.css", "icon.svg"} <= set(page_server.assets)
    for name, (kind, content) in page_server.assets.items():
        text = content.decode().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|wss?:|[\"'(]//|@import|url\(|data:|localStorage|eval\(", text), name
        if kind.startswith("text/html"):
            assert not re.search(r"\sstyle=|\son\w+=|<style|javascript:", text)
            assert all(not inside.strip() for inside in re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL))
            named = re.findall(r"(?:src|href)=\"([^\"]+)\"", text)
            assert len(named) >= 4 and set(named) <= set(page_server.assets)
        for module in re.findall(r"from \"\./([^\"]+)\"", text):
            assert module in page_server.assets


def test_every_label_and_script_finds_its_element(page_server):
    html = page_server.assets[""][1].decode()
    ids = re.findall(r"\sid=\"([^\"]+)\"", html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"\sfor=\"([^\"]+)\"", html)) <= set(ids)
    scripts = "".join(content.decode() for name, (_, content) in page_server.assets.items() if name.endswith(".js"))
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
def test_the_length_must_be_stated(page_server, headers):
    headers = {"Host": f"127.0.0.1:{page_server.server_port}", **headers}
    status, content = raw(page_server, "POST", f"/{page_server.guard.token}/pictures?name=a.png", headers)
    assert status == 411 and b"Content-Length" in content


def test_a_file_that_does_not_come_whole_is_no_picture(page, page_server):
    with socket.create_connection(("127.0.0.1", page_server.server_port)) as connection:
        head = f"POST /{page_server.guard.token}/pictures?name=a.png HTTP/1.1\r\n"
        host = f"Host: 127.0.0.1:{page_server.server_port}\r\n"
        connection.sendall(f"{head}{host}Content-Length: 1000\r\n\r\n".encode() + encoded(RGB)[:500])
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
