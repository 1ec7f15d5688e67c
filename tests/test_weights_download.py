"""Downloads of the published weights, from a local server that fails, stalls, truncates and lies."""

import hashlib
import re
import threading
import time
from pathlib import Path

import pytest
from unreliable_server import serving

from converse_basicsr.cli import main
from converse_basicsr.errors import UserError
from converse_basicsr.weights.catalogue import ADDRESS_VARIABLE, LICENCE, PUBLISHED, Published, cache_folder
from converse_basicsr.weights.download import download
from converse_basicsr.weights.locating import locate

CONTENT = bytes(i * i // 7 % 251 for i in range(1 << 19))
ENTRY = Published("net", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), "Net", "nothing")


@pytest.fixture
def server(monkeypatch):
    with serving(CONTENT) as server:
        monkeypatch.setenv(ADDRESS_VARIABLE, f"{server.address}/folder/")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield server


def fetch(folder, timeout: float = 5, overwrite: bool = False):
    return download(ENTRY, folder, timeout, attempts=3, pause=0.01, overwrite=overwrite)


def test_a_download_gets_its_name_when_it_is_complete(server, tmp_path, capsys):
    path = fetch(tmp_path / "new/folder")
    assert path.read_bytes() == CONTENT and path.name == "net.pth"
    assert server.paths == ["/folder/net.pth"]
    assert LICENCE in capsys.readouterr().err
    assert [file.name for file in path.parent.iterdir()] == ["net.pth"]
    assert fetch(tmp_path / "new/folder") == path and len(server.paths) == 1  # it is there already


@pytest.mark.parametrize(
    ("ways", "ranges"),
    [
        (["cut"], [None, f"bytes={len(CONTENT) // 2}-"]),
        (["stalling"], [None, f"bytes={len(CONTENT) // 2}-"]),
        (["cut", "cut"], [None, f"bytes={len(CONTENT) // 2}-", f"bytes={len(CONTENT) * 3 // 4}-"]),
        (["cut", "without ranges"], [None, f"bytes={len(CONTENT) // 2}-"]),
        (["cut", "another range"], [None, f"bytes={len(CONTENT) // 2}-", None]),
        (["cut", "416"], [None, f"bytes={len(CONTENT) // 2}-", None]),
        (["503", "429"], [None, None, None]),
        (["other content"], [None, None]),
        (["without end"], [None, None]),
        (["a redirect"], [None, None]),
    ],
    ids=str,
)
def test_what_goes_wrong_once_is_overcome(server, tmp_path, ways, ranges):
    server.ways = list(ways)
    assert fetch(tmp_path, timeout=0.3).read_bytes() == CONTENT
    assert server.ranges == ranges


@pytest.mark.parametrize(
    ("way", "reason", "requests"),
    [
        ("cut", "the connection ended after .* of 524,288 bytes", 3),
        ("stalling", "timed out", 3),
        ("other content", "the server sent something else .sha256 [0-9a-f]{64}.", 3),
        ("without end", "the server sent something else", 3),
        ("503", "the server answered 503", 3),
        ("404", "the server answered 404", 1),
        ("a page", "the server has a file of 26 bytes, not 524,288", 1),
        ("a redirect", "Exceeded 30 redirects", 31),
    ],
)
def test_what_stays_wrong_is_one_line_with_address_target_and_checksum(server, tmp_path, way, reason, requests):
    server.ways = [way] * 100
    with pytest.raises(UserError, match=f"cannot download net: {reason}") as error:
        fetch(tmp_path, timeout=0.3)
    message = str(error.value)
    assert all(part in message for part in (ENTRY.address, str(tmp_path / "net.pth"), ENTRY.sha256, "524,288 bytes"))
    assert "\n" not in message and len(server.paths) == requests
    assert not (tmp_path / "net.pth").exists()
    assert {file.name for file in tmp_path.iterdir()} <= {"net.pth.download"}  # which the next call continues


def test_ctrl_c_leaves_the_rest_of_a_download_and_nothing_else(server, tmp_path, monkeypatch):
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)  # before the second attempt
    server.ways = ["cut"]
    with pytest.raises(KeyboardInterrupt):
        fetch(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["net.pth.download"]


def test_an_interrupted_download_is_continued_by_the_next_call(server, tmp_path):
    server.ways = ["cut"] * 3
    with pytest.raises(UserError):
        fetch(tmp_path)
    assert (tmp_path / "net.pth.download").stat().st_size == len(CONTENT) * 7 // 8
    server.ranges.clear()
    assert fetch(tmp_path).read_bytes() == CONTENT
    assert server.ranges == [f"bytes={len(CONTENT) * 7 // 8}-"] and not (tmp_path / "net.pth.download").exists()


@pytest.mark.parametrize("left", [b"", bytes(100), bytes(len(CONTENT)), bytes(len(CONTENT) + 5)])
def test_a_wrong_rest_of_an_earlier_download_is_replaced(server, tmp_path, left):
    (tmp_path / "net.pth.download").write_bytes(left)
    assert fetch(tmp_path).read_bytes() == CONTENT


def test_another_file_of_that_name_is_not_replaced(server, tmp_path):
    (tmp_path / "net.pth").write_bytes(bytes(len(CONTENT)))
    with pytest.raises(UserError, match="net.pth exists, and is not the published file; rename it"):
        fetch(tmp_path)
    server.ways = ["other content"] * 3
    with pytest.raises(UserError, match="the server sent something else"):
        fetch(tmp_path, overwrite=True)
    assert (tmp_path / "net.pth").read_bytes() == bytes(len(CONTENT))
    assert fetch(tmp_path, overwrite=True).read_bytes() == CONTENT


@pytest.mark.parametrize("entry", PUBLISHED.values(), ids=list(PUBLISHED))
def test_every_published_file_has_a_pinned_address(entry, monkeypatch):
    monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)
    assert re.fullmatch(r"https://raw.githubusercontent.com/cszn/\w+/[0-9a-f]{40}/model_zoo/\w+.pth", entry.address)
    assert re.fullmatch("[0-9a-f]{64}", entry.sha256) and entry.licence
    monkeypatch.setenv(ADDRESS_VARIABLE, "http://copies.invalid/folder")
    assert entry.address == f"http://copies.invalid/folder/{entry.name}.pth"


@pytest.mark.parametrize("entry", PUBLISHED.values(), ids=list(PUBLISHED))
def test_the_catalogue_describes_the_files(entry, assets):
    from converse_basicsr import load_network

    path = assets / "weights" / entry.file
    assert entry.is_at(path) and type(load_network(path)).__name__ == entry.network


def test_two_downloads_at_once_fetch_the_file_once(server, tmp_path):
    threads = [threading.Thread(target=fetch, args=(tmp_path,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "net.pth").read_bytes() == CONTENT and len(server.paths) == 1


def test_a_proxy_of_the_environment_is_used(server, tmp_path, monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.address)
    monkeypatch.setenv(ADDRESS_VARIABLE, "http://weights.invalid/folder")
    assert fetch(tmp_path).read_bytes() == CONTENT
    assert server.paths == ["http://weights.invalid/folder/net.pth"]


@pytest.mark.parametrize(
    ("address", "reason"),
    [("http://127.0.0.1:1", "Connection refused"), ("nonsense", "Invalid URL 'nonsense/net.pth'")],
)
def test_without_a_connection_the_reason_is_plain(tmp_path, monkeypatch, address, reason):
    monkeypatch.setenv(ADDRESS_VARIABLE, address)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(UserError, match=f"cannot download net: {reason}"):
        fetch(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write .*file/net.pth: Not a directory|File exists"):
        fetch(tmp_path / "file")


@pytest.fixture
def published(assets, server, monkeypatch, in_tmp):
    """The server has the published files, and the cache is empty."""
    server.content = (assets / "weights/conversenet.pth").read_bytes()
    monkeypatch.setenv("XDG_CACHE_HOME", str(in_tmp / "cache"))
    monkeypatch.setenv("CONVERSE_ASSETS", str(in_tmp / "none"))
    return server


@pytest.mark.skipif("sys.platform != 'linux'", reason="elsewhere the cache folder is not set by XDG_CACHE_HOME")
def test_the_command_downloads_lists_and_names_paths(published, in_tmp, capsys):
    assert main(["weights", "path", "conversenet"]) == 2
    assert "conversenet.pth is not here yet; `basicsr weights get conversenet`" in capsys.readouterr().err
    assert main(["weights", "path", "conversenet", "--dir", "mine"]) == 2
    assert (
        "mine/conversenet.pth is not here yet; `basicsr weights get conversenet --dir mine`" in capsys.readouterr().err
    )
    assert main(["weights", "get", "conversenet"]) == 0
    path = capsys.readouterr().out.strip()
    assert path == str(in_tmp / "cache/converse_basicsr/weights/conversenet.pth")
    assert main(["weights", "path", "conversenet"]) == 0 and capsys.readouterr().out.strip() == path
    assert main(["weights", "list"]) == 0
    listed = capsys.readouterr().out
    assert path in listed and LICENCE in listed and all(name in listed for name in PUBLISHED)
    assert main(["weights", "get", "conversenet", "--dir", "experiments/pretrained_models"]) == 0
    assert (in_tmp / "experiments/pretrained_models/conversenet.pth").is_file() and len(published.paths) == 2
    Path("experiments/pretrained_models/conversenet.pth").write_bytes(b"mine")
    command = ["weights", "get", "conversenet", "--dir", "experiments/pretrained_models"]
    assert main(command) == 2 and "or --overwrite" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0 and len(published.paths) == 3
    assert Path("experiments/pretrained_models/conversenet.pth").stat().st_size == PUBLISHED["conversenet"].size
    assert main(["weights", "get", "conversnet"]) == 2
    assert "no published weights 'conversnet'; did you mean conversenet?" in capsys.readouterr().err


@pytest.mark.skipif("sys.platform != 'linux'", reason="elsewhere the cache folder is not set by XDG_CACHE_HOME")
def test_a_published_name_stands_for_the_file(published, in_tmp):
    from converse_basicsr import load_network

    assert load_network("conversenet").in_channels == 3
    assert locate("conversenet") == cache_folder() / "conversenet.pth" and len(published.paths) == 1


@pytest.mark.skipif("sys.platform != 'linux'", reason="elsewhere the cache folder is not set by XDG_CACHE_HOME")
def test_published_files_are_looked_for_in_this_order(published, assets, in_tmp, monkeypatch, capsys):
    """The current folder, experiments/pretrained_models, the cache, $CONVERSE_ASSETS/weights; a path comes first."""
    monkeypatch.setenv("CONVERSE_ASSETS", str(in_tmp / "assets"))
    folders = [in_tmp / name for name in ("assets/weights", "cache/converse_basicsr/weights",
                                          "experiments/pretrained_models", ".")]  # fmt: skip
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "conversenet.pth").symlink_to(assets / "weights/conversenet.pth")
        assert locate("conversenet").absolute() == folder / "conversenet.pth"
    Path("conversenet").mkdir()
    Path("conversenet/model.safetensors").touch()
    assert locate("conversenet") == Path("conversenet/model.safetensors")
    assert published.paths == [] and capsys.readouterr().err == ""


@pytest.mark.skipif("sys.platform != 'linux'", reason="elsewhere the cache folder is not set by XDG_CACHE_HOME")
@pytest.mark.parametrize("content", [b"a page", bytes(PUBLISHED["conversenet"].size)], ids=["size", "sha256"])
def test_another_file_of_that_name_is_said_not_used(published, in_tmp, capsys, content):
    from converse_basicsr.weights.locating import say_once

    say_once.cache_clear()
    Path("conversenet.pth").write_bytes(content)
    for _ in range(2):  # the second time it is in the cache
        assert locate("conversenet") == cache_folder() / "conversenet.pth"
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("not used")]
    assert len(lines) == 1 and "conversenet.pth is not the published conversenet.pth (1,007,994 bytes, " in lines[0]
    assert locate("conversenet.pth") == Path("conversenet.pth") and len(published.paths) == 1


@pytest.mark.parametrize("path", ["conversenet.pth", "experiments/pretrained_models/conversenet.pth"])
def test_a_missing_path_of_a_published_file_suggests_the_name(in_tmp, path):
    with pytest.raises(UserError, match=f"no such checkpoint: {path}; the name conversenet finds or downloads"):
        locate(path)
