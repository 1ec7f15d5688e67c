"""The local page in a real browser: Debian's chromium, headless, driven by selenium. Skipped where they are missing."""

import io
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from served_page import LARGE, command

from converse_basicsr import deconvolve, load_network, restore
from converse_basicsr.inference.deconvolution import STEPS

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed (requirements-test.txt)")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no browser: apt-get install chromium chromium-driver brings one"
)
WAVE = np.linspace(0, 6, 60)
RGB = np.stack([np.sin(WAVE[:, None] * (c + 1) + np.linspace(0, 9, 80)) * 127 + 128 for c in range(3)], -1)
RGB = RGB.round().astype(np.uint8)
DESKTOP, PHONE = (1280, 860), (390, 844)
SECONDS = 60
TIMES = "\N{MULTIPLICATION SIGN}"


class Browser:
    """The browser at the page."""

    def __init__(self, driver, address: str, downloads: Path):
        self.driver = driver
        self.address = address
        self.downloads = downloads

    def look_as(self, size: tuple[int, int], scheme: str) -> None:
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def open(self) -> None:
        self.driver.get(self.address)
        self.until(lambda: self.element("network").is_enabled())

    def element(self, id: str):
        return self.driver.find_element(By.ID, id)

    def text(self, id: str) -> str:
        return self.element(id).get_attribute("textContent").replace(TIMES, "x")

    def run(self, script: str, *args):
        return self.driver.execute_script(script, *args)

    def until(self, condition) -> None:
        WebDriverWait(self.driver, SECONDS, 0.05).until(lambda _: condition())

    def choose(self, file: Path) -> None:
        self.element("file").send_keys(str(file))
        self.until(lambda: self.text("name") == file.name and self.element("restore").is_enabled())

    def select(self, id: str, value: str) -> None:
        Select(self.element(id)).select_by_value(value)

    def restore(self) -> None:
        self.element("restore").click()
        self.until(lambda: self.element("download-form").is_displayed() or self.text("error"))
        assert not self.text("error")

    def download(self, name: str) -> np.ndarray:
        file = self.downloads / name
        file.unlink(missing_ok=True)
        self.element("download").click()
        self.until(file.exists)
        return np.asarray(Image.open(io.BytesIO(file.read_bytes())))

    def under(self, x: float, y: float) -> str:
        """The id of what is seen at a share of the frame's width and height."""
        return self.run(
            "const box = document.getElementById('frame').getBoundingClientRect(), [x, y] = arguments;"
            "return document.elementFromPoint(box.left + x * box.width, box.top + y * box.height).id",
            x,
            y,
        )

    def check_console(self) -> None:
        """Nothing was logged, and nothing was asked of another address."""
        assert self.driver.get_log("browser") == []
        asked = self.run("return performance.getEntriesByType('resource').map((each) => each.name)")
        assert asked and all(
            each.startswith((self.address, "blob:" + self.address.rsplit("/", 2)[0])) for each in asked
        )


@pytest.fixture(scope="module")
def driver():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def browser(driver, page_server, tmp_path) -> Browser:
    behaviour = {"behavior": "allow", "downloadPath": str(tmp_path)}
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
    browser = Browser(driver, page_server.address, tmp_path)
    driver.get_log("browser")  # of the test before
    browser.look_as(DESKTOP, "light")
    browser.open()
    return browser


@pytest.fixture
def photo(tmp_path) -> Path:
    file = tmp_path / "my photo.png"
    Image.fromarray(RGB).save(file)
    return file


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_picture_is_chosen_restored_compared_and_saved(browser, photo, tiny_weights, size, scheme):
    browser.look_as(size, scheme)
    browser.choose(photo)
    assert browser.text("size") == "80 x 60"
    browser.restore()
    assert browser.text("notes").startswith("80 x 60 → 160 x 120 in ")
    assert browser.text("status").startswith("Restored: 80 x 60 → 160 x 120 in ")
    divider = browser.element("divider")
    assert divider.get_attribute("role") == "slider" and divider.get_attribute("aria-valuenow") == "50"
    assert (browser.under(0.3, 0.2), browser.under(0.7, 0.2)) == ("before", "after")
    assert np.array_equal(browser.download("my photo_restored.png"), restore(RGB, load_network(tiny_weights[0])))

    back = browser.run("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (sum(back) / 3 > 128) == (scheme == "light")
    assert browser.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    columns = browser.run("return getComputedStyle(document.querySelector('main')).gridTemplateColumns").split()
    assert len(columns) == (2 if size == DESKTOP else 1)
    browser.check_console()


def test_the_border_is_moved_by_keys_and_by_the_pointer(browser, photo):
    browser.choose(photo)
    browser.restore()
    divider = browser.element("divider")

    def now() -> int:
        return int(divider.get_attribute("aria-valuenow"))

    divider.send_keys(Keys.ARROW_RIGHT)
    assert now() == 51
    divider.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert now() == 49
    divider.send_keys(Keys.PAGE_UP)
    assert now() == 59 and divider.get_attribute("aria-valuetext") == "59 % before, 41 % after"
    divider.send_keys(Keys.HOME, Keys.ARROW_LEFT)
    assert now() == 0 and browser.under(0.1, 0.2) == "after"
    divider.send_keys(Keys.END)
    assert now() == 100 and browser.under(0.9, 0.2) == "before"
    actions = webdriver.ActionChains(browser.driver)
    frame = browser.element("frame")
    actions.move_to_element_with_offset(frame, -frame.size["width"] // 4, 0).click().perform()
    assert abs(now() - 25) <= 1
    actions.click_and_hold(divider).move_by_offset(frame.size["width"] // 2, 0).release().perform()
    assert abs(now() - 75) <= 2 and browser.under(0.7, 0.2) == "before"
    assert browser.run("return document.activeElement.id") == "divider"
    browser.check_console()


def test_everything_is_reached_by_the_tab_key_and_the_focus_is_seen(browser, photo):
    browser.choose(photo)
    browser.restore()
    browser.run("document.activeElement.blur(); window.getSelection().collapse(document.body, 0)")
    reached = []
    for _ in range(14):
        webdriver.ActionChains(browser.driver).send_keys(Keys.TAB).perform()
        focused = browser.run(
            "const it = document.activeElement, seen = [it, it.querySelector('.grip'), it.nextElementSibling];"
            "return [it.id || it.tagName, seen.some((each) => each && getComputedStyle(each).outlineStyle !== 'none')]"
        )
        reached.append(focused)
    names = [name for name, _ in reached]
    wanted = ["fit", "full", "scroll", "divider", "network", "SUMMARY", "restore", "format", "download"]
    assert [name for name in names if name in wanted][: len(wanted)] == wanted
    assert all(is_seen for name, is_seen in reached if name in wanted), reached


def test_zoom_to_one_pixel_of_the_picture_for_each_of_the_screen(browser, tmp_path):
    file = tmp_path / "large.png"
    Image.fromarray(np.tile(RGB, (12, 12, 1))).save(file)
    browser.choose(file)
    browser.select("network", "converse2d")
    browser.restore()
    fitted = browser.element("frame").size
    scroll = browser.element("scroll").size
    assert fitted["width"] <= scroll["width"] and fitted["height"] <= scroll["height"]
    browser.element("full").click()
    assert browser.element("frame").size == {"width": 960, "height": 720}
    assert browser.element("full").get_attribute("aria-pressed") == "true"
    places = browser.run("const s = document.getElementById('scroll'); return [s.scrollLeft, s.scrollTop]")
    assert places[0] > 20  # the middle stays in the middle
    browser.element("scroll").send_keys(Keys.ARROW_RIGHT)
    browser.until(lambda: browser.run("return document.getElementById('scroll').scrollLeft") > places[0])
    middle = browser.run(
        "const d = document.getElementById('divider').getBoundingClientRect(), "
        "s = document.getElementById('scroll').getBoundingClientRect(); "
        "return (d.left + d.width / 2 - s.left) / document.getElementById('scroll').clientWidth"
    )
    assert abs(middle - 0.5) < 0.01  # the border stays in sight
    browser.element("fit").click()
    assert browser.element("frame").size == fitted
    browser.check_console()


def test_without_weights_with_a_kernel_and_another_format(browser, photo):
    browser.choose(photo)
    browser.select("network", "converse2d")
    assert browser.element("kernel").is_displayed() and browser.element("operator").is_displayed()
    browser.select("kernel-kind", "motion")
    for id, value in (("motion-length", "5"), ("motion-angle", "30"), ("lam", "0.05")):
        browser.element(id).clear()
        browser.element(id).send_keys(value)
    browser.until(lambda: browser.element("kernel-picture").is_displayed())
    browser.restore()
    expected = deconvolve(RGB, "motion:5,30", lam=0.05)
    assert np.array_equal(browser.download("my photo_restored.png"), expected)
    browser.select("format", "webp")
    browser.element("quality").clear()
    browser.element("quality").send_keys("100")
    assert np.array_equal(browser.download("my photo_restored.webp"), expected)
    browser.check_console()


def test_the_operator_once_for_a_noise_level(browser, photo):
    browser.choose(photo)
    browser.select("network", "converse2d")
    assert browser.element("steps").get_attribute("placeholder") == str(STEPS)
    browser.element("steps").send_keys("1")
    browser.select("weight-kind", "sigma")
    browser.restore()
    once = deconvolve(RGB, "gaussian:1.5", lam=0.04, steps=1)
    assert np.array_equal(browser.download("my photo_restored.png"), once)
    assert not np.array_equal(once, deconvolve(RGB, "gaussian:1.5", lam=0.04))


def test_a_kernel_from_a_file(browser, photo, tmp_path):
    taps = np.outer([1, 2, 1], [1, 2, 1])
    np.save(tmp_path / "taps.npy", taps)
    (tmp_path / "broken.npy").write_bytes(b"nothing")
    browser.choose(photo)
    browser.select("network", "converse2d")
    browser.select("kernel-kind", "file")
    browser.element("kernel-file").send_keys(str(tmp_path / "broken.npy"))
    browser.until(lambda: browser.text("kernel-error").startswith("broken.npy: not a readable .npy file"))
    browser.element("kernel-file").send_keys(str(tmp_path / "taps.npy"))
    browser.until(lambda: browser.element("kernel-picture").is_displayed())
    assert not browser.text("kernel-error")
    browser.restore()
    assert np.array_equal(browser.download("my photo_restored.png"), deconvolve(RGB, taps))


@pytest.mark.parametrize(
    "event",
    ["new DragEvent('drop', {dataTransfer: data})", "new ClipboardEvent('paste', {clipboardData: data})"],
    ids=["drop", "paste"],
)
def test_a_picture_is_dropped_or_pasted(browser, event):
    browser.run(
        "const done = arguments[arguments.length - 1], canvas = document.createElement('canvas');"
        "canvas.width = 30; canvas.height = 20; canvas.getContext('2d').fillRect(0, 0, 9, 9);"
        "canvas.toBlob((blob) => { const data = new DataTransfer();"
        f"data.items.add(new File([blob], 'given.png')); document.dispatchEvent({event}); }})"
    )
    browser.until(lambda: browser.text("size") == "30 x 20, transparent")
    assert browser.text("name") == "given.png"
    browser.check_console()


def start_a_long_restoration(browser: Browser, folder: Path) -> Path:
    file = folder / "large.png"
    file.write_bytes(LARGE)
    browser.choose(file)
    browser.run("document.querySelector('details').open = true")
    browser.element("tile").send_keys("16")
    browser.element("overlap").send_keys("12")
    browser.element("restore").click()
    return file


def test_progress_and_cancel(browser, tmp_path):
    start_a_long_restoration(browser, tmp_path)
    browser.until(lambda: " left" in browser.text("job-text"))
    assert browser.text("job-text").startswith("Restoring: ") and "% · " in browser.driver.title
    assert 0 < float(browser.element("progress").get_attribute("value")) < 1
    browser.element("cancel").click()
    browser.until(lambda: browser.text("status") == "The restoration is cancelled.")
    assert not browser.element("job").is_displayed() and browser.element("restore").is_enabled()
    assert not browser.element("download-form").is_displayed()
    browser.check_console()


def test_errors_are_one_line_in_the_page(browser, photo, tmp_path):
    (tmp_path / "broken.png").write_bytes(photo.read_bytes()[:300])
    browser.element("file").send_keys(str(tmp_path / "broken.png"))
    browser.until(lambda: browser.text("error").startswith("broken.png: damaged"))
    assert browser.element("error").get_attribute("role") == "alert"
    (tmp_path / "large.png").write_bytes(bytes(400_000))
    browser.element("file").send_keys(str(tmp_path / "large.png"))
    browser.until(lambda: browser.text("error").startswith("large.png has 0.4 MB; the limit is 0.3 MB"))
    browser.choose(photo)
    assert not browser.element("error").is_displayed()
    browser.run("document.querySelector('details').open = true")
    browser.element("memory").send_keys("much")
    browser.element("restore").click()
    browser.until(lambda: browser.text("error") == "memory: must be a size such as 4GB, 500MB or 4GiB, got 'much'")
    browser.element("memory").clear()
    browser.restore()


def test_a_page_that_is_left_ends_its_restoration(browser, page_server, tmp_path):
    file = start_a_long_restoration(browser, tmp_path)
    browser.until(lambda: browser.text("job-text").startswith("Restoring: "))
    browser.driver.get("about:blank")
    start = time.monotonic()
    browser.open()
    browser.choose(file)
    browser.select("network", "converse2d")
    browser.restore()
    assert time.monotonic() - start < SECONDS


def test_the_page_says_when_the_program_has_ended(driver, tmp_path):
    with command() as (_, address):
        browser = Browser(driver, address, tmp_path)
        browser.open()
    file = tmp_path / "photo.png"
    Image.fromarray(RGB).save(file)
    browser.element("file").send_keys(str(file))
    browser.until(lambda: browser.text("error").startswith("The program does not answer. Start “basicsr page” again"))
