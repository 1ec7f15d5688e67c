"""The local page, asked by urllib: blur kernels, and restorations from line to download."""

import io
import json
import time
from urllib.parse import quote, urlencode

import numpy as np
import pytest
from PIL import Image
from served_page import LARGE, LONG, RGB, Page, encoded, served
from tiny_weights import save_network

from converse_basicsr import deconvolve, load_network, restore
from converse_basicsr.networks import ConverseSRResNet
from converse_basicsr.page.choices import Choices
from converse_basicsr.weights.catalogue import PUBLISHED

RANDOM = np.random.default_rng(0)
DEBLUR = {"network": "converse2d", "kernel": "gaussian:1.5", "lam": 0.01}


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


def test_the_result_is_that_of_restore(page, tiny_weights):
    network = load_network(tiny_weights[0])
    assert np.array_equal(page.restored(encoded(RGB), {"network": "given-0"}), restore(RGB, network))
    settings = {"network": "given-0", "x8": True, "tile": 16, "overlap": 4}
    with pytest.warns(UserWarning, match="tile"):
        expected = restore(RGB, network, x8=True, tile=16, overlap=4)
    assert np.array_equal(page.restored(encoded(RGB), settings), expected)


def test_the_operators_result_is_that_of_deconvolve(page):
    expected = deconvolve(RGB, "gaussian:1.5", lam=0.01)
    assert not np.array_equal(expected, RGB)
    assert np.array_equal(page.restored(encoded(RGB), DEBLUR), expected)


@pytest.mark.parametrize(("steps", "lam"), [(None, 0.12), (7, 0.12), (1, 0.04)])
def test_the_operator_with_a_noise_level_and_steps(page, steps, lam):
    settings = {"network": "converse2d", "kernel": "motion:4,30", "sigma": 2, "scale": 2, "borders": "circular"}
    chosen = {} if steps is None else {"steps": steps}
    expected = deconvolve(RGB, "motion:4,30", lam=lam, scale=2, borders="circular", **chosen)
    assert np.array_equal(page.restored(encoded(RGB), settings | {"steps": steps}), expected)


def test_a_network_with_a_kernel(page, tiny_weights):
    settings = {"network": "given-1", "kernel": "gaussian:1", "scale": 2}
    expected = restore(RGB, load_network(tiny_weights[1]), kernel="gaussian:1", scale=2)
    assert np.array_equal(page.restored(encoded(RGB), settings), expected)


def test_a_transparent_picture_and_its_progress(page, tiny_weights):
    rgba = np.dstack([RGB, np.arange(560, dtype=np.uint8).reshape(20, 28)])
    picture = page.upload(encoded(rgba))
    job = page.wait(page.start(picture, {"network": "given-0"}))
    assert job["share"] == 1
    shown = np.asarray(Image.open(io.BytesIO(page.ask(f"jobs/{job['id']}/preview")[1])))
    assert np.array_equal(shown, restore(rgba, load_network(tiny_weights[0])))
    message = page.error(f"jobs/{job['id']}/result?format=jpeg")
    assert message.startswith("JPEG cannot hold its transparency")


@pytest.mark.parametrize("channels", ["y", "each"])
def test_a_gray_network_on_colours(page, tiny_weights, channels):
    expected = restore(RGB, load_network(tiny_weights[2]), channels=channels)
    assert np.array_equal(page.restored(encoded(RGB), {"network": "given-2", "channels": channels}), expected)


def test_16_bits_stay_16_bits(page, tiny_weights):
    deep = RANDOM.integers(0, 65536, (20, 28), dtype=np.uint16)
    expected = restore(deep, load_network(tiny_weights[2]))
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
        ({"network": "given-0", "steps": 2}, "steps: has no effect with given-0"),
        ({**DEBLUR, "steps": 1.5}, "steps: must be an integer, got 1.5"),
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
        ({**DEBLUR, "lam": 0}, "lam: must be a number above 0"),
        ({**DEBLUR, "sigma": 2}, "sigma: give lam or sigma, not both"),
        ({**DEBLUR, "steps": 0}, "steps: must be an integer from 1 to 100, got 0"),
        ({**DEBLUR, "scale": 0}, "scale: must be an integer from 1 to 8, got 0"),
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
    save_network(tmp_path / "deep.pth", ConverseSRResNet, num_feat=8, num_block=12, upscale=2)
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


def test_old_pictures_and_their_files_are_forgotten(tmp_path, tiny_weights):
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
