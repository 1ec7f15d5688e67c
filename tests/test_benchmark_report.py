"""The report of a benchmark, on made-up numbers that are checked by hand."""

import json
import math
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from converse_basicsr.benchmark.reporting.comparisons import AMPLIFY, find_comparisons
from converse_basicsr.benchmark.reporting.pages import write_report
from converse_basicsr.benchmark.reporting.plots import band
from converse_basicsr.benchmark.reporting.ranking import Score, read_ranking
from converse_basicsr.benchmark.reporting.tables import rounded, tables_of, with_prefix
from converse_basicsr.errors import UserError

SIDE = 96
ENVIRONMENT = {"hardware": "an abacus", "commit": "0123abc", "date": "2026-01-01"}


def run(psnr: float, ssim: float = 0.8, **changes) -> dict:
    images = {name: {"psnr": psnr + shift, "ssim": ssim} for name, shift in (("one", 1.0), ("two", -1.0))}
    curve = [
        {"iter": i, "seconds": 2.0 * i, "sets": {"val": {"psnr": psnr - 10 / i, "ssim": ssim}}} for i in (10, 20, 40)
    ]
    return {
        "status": "done",
        "reason": None,
        "seconds": 90.0,
        "iterations": 40,
        "curve": curve,
        "final": {"val": {"mean": {"psnr": psnr, "ssim": ssim}, "images": images}},
        "images": {"val": {}},
        **changes,
    }


def unfinished(status: str, reason: str | None = None) -> dict:
    return run(0.0, status=status, reason=reason, final={}, curve=[])


def cost(latency: float, parameters: int) -> dict:
    around = {"median": latency, "low": latency * 0.9, "high": latency * 1.2, "runs": 9}
    return {
        "input": [1, 3, 64, 64],
        "parameters": parameters,
        "flops": 1.5e9,
        "flops_with_fft": 2.5e9,
        "activations": 3.25e6,
        "latency_ms": around,
        "throughput_mpixel_s": 1.0,
        "training_step_ms": {key: 3 * value for key, value in around.items()},
        "peak_memory_mib": {"evaluation": 40.0, "training": 400.0},
        "environment": ENVIRONMENT,
    }


def content(**changes) -> dict:
    """Ours, with Converse: 30.0 and 30.2; Plain, without: 29.0 and 29.4; bicubic: 28.5. Latency 20 and 10 ms."""
    models = {
        "Ours": (True, cost(20.0, 1000), [30.0, 30.2], 0.8),
        "Plain": (False, cost(10.0, 2500), [29.0, 29.4], 0.9),
    }
    images = {"one": {"psnr": 29.5, "ssim": 0.7}, "two": {"psnr": 27.5, "ssim": 0.7}}
    return {
        "benchmark": {
            "name": "tiny benchmark",
            "task": "a task",
            "file": "tiny.yml",
            "command": "basicsr benchmark -opt tiny.yml",
            "started": "2026-01-01 10:00",
            "finished": "2026-01-01 11:00",
            "seeds": [0, 1],
            "budget": {"iterations": 40},
            "sets": ["val"],
            "metrics": {"psnr": "higher", "ssim": "higher"},
            "scale": 4,
            "baseline": {"name": "bicubic", "sets": {"val": {"mean": {"psnr": 28.5, "ssim": 0.7}, "images": images}}},
            **changes,
        },
        "environment": ENVIRONMENT,
        "models": {
            name: {
                "uses_converse": uses_converse,
                "cost": prices,
                "runs": {str(seed): run(psnr, ssim) for seed, psnr in enumerate(values)},
            }
            for name, (uses_converse, prices, values, ssim) in models.items()
        },
    }


@pytest.fixture
def ranking_of(tmp_path):
    def read(results: dict):
        (tmp_path / "results.json").write_text(json.dumps(results, allow_nan=False))
        return read_ranking(tmp_path)

    return read


def write_images(folder, results: dict) -> None:
    """Ground truth of `one`; restored images that are off by 2 and 5, more so in the lower right corner."""
    truth = np.random.default_rng(0).integers(60, 180, (SIDE, SIDE, 3), dtype=np.uint8)
    images = folder / "images/val"
    images.mkdir(parents=True)
    for kind, image in (("gt", truth), ("lq", truth[::4, ::4]), ("baseline", truth + 10)):
        cv2.imwrite(str(images / f"one_{kind}.png"), image)
    for number, off in enumerate((2, 5)):
        restored = truth + off
        restored[-80:, -80:] += off
        cv2.imwrite(str(images / f"one_{number}.png"), restored)
        for one in list(results["models"].values())[number]["runs"].values():
            one["images"] = {"val": {"one": f"images/val/one_{number}.png"}}


def cells(ranking, title: str, name: str) -> dict[str, str]:
    table = tables_of(ranking)[title]
    row = next(row for row in table.rows if row.name == name)
    return dict(zip(table.columns[1:], (cell.text for cell in row.cells), strict=True))


def ranked(ranking) -> list[str]:
    return [row.name for row in tables_of(ranking)["Ranking"].rows]


def test_ranking_by_hand(ranking_of):
    ranking = ranking_of(content())
    assert ranked(ranking) == ["Ours", "Plain", "bicubic (baseline)"]
    assert cells(ranking, "Ranking", "Ours") == {
        "runs": "2 of 2",
        "PSNR (dB)": "30.100 ± 0.141",  # 0.2 / sqrt(2)
        "SSIM": "0.8000 ± 0.0000",
        "vs bicubic": "+1.600",
        "vs Plain": "+0.900",
        "parameters": "1,000",
        "FLOPs": "1.5 G",
        "FLOPs with FFT": "2.5 G",
        "activations": "3.25 M",
        "latency, ms": "20 (18-24)",
        "training step, ms": "60 (54-72)",
        "memory, MiB": "40",
        "training memory, MiB": "400",
        "cost input": "1x3x64x64",
        "training time, min": "1.5",
    }
    assert cells(ranking, "Ranking", "Plain")["vs Plain"] == "reference"
    assert cells(ranking, "Ranking", "bicubic (baseline)")["PSNR (dB)"] == "28.500"


def test_differences_in_every_metric(ranking_of):
    assert cells(ranking_of(content()), "Differences in every metric", "Ours") == {
        "PSNR (dB) vs bicubic": "+1.600",
        "PSNR (dB) vs Plain": "+0.900",
        "SSIM vs bicubic": "+0.1000",
        "SSIM vs Plain": "-0.1000",
    }


def test_lower_can_be_better(ranking_of):
    ranking = ranking_of(content(metrics={"ssim": "lower"}))
    assert ranked(ranking)[:2] == ["Ours", "Plain"] and ranking.verdict == "better"


def test_several_sets_have_a_column_each(ranking_of):
    results = content(sets=["val", "other"])
    results["benchmark"]["baseline"]["sets"]["other"] = {"mean": {"psnr": 20.0, "ssim": 0.5}}
    for part in results["models"].values():
        for one in part["runs"].values():
            one["final"]["other"] = {"mean": {"psnr": 31.0, "ssim": 0.5}}
    assert cells(ranking_of(results), "Ranking", "Plain")["PSNR (dB) on other"] == "31.000 ± 0.000"


def test_the_spread_of_a_difference():
    difference = Score(2.0, math.sqrt(2)).minus(Score(1.0, 0.0))
    assert difference.mean == 1.0 and math.isclose(difference.spread, math.sqrt(2)) and difference.is_within_spread
    assert not Score(1.0).minus(Score(1.001)).is_within_spread  # one seed has no spread
    assert Score(math.inf, 0.0).minus(Score(math.inf, 0.0)).mean == 0.0


@pytest.mark.parametrize(
    ("ours", "expected", "difference"),
    [
        ([30.0, 30.2], "better", "+0.900"),
        ([28.0, 28.2], "worse", "-1.100"),
        ([29.0, 29.5], "equal", "+0.050 ≈"),
        ([29.1, 29.3], "equal", "+0.000 ≈"),
    ],
)
def test_verdict(ranking_of, ours, expected, difference):
    results = content()
    for seed, psnr in enumerate(ours):
        results["models"]["Ours"]["runs"][str(seed)] = run(psnr)
    ranking = ranking_of(results)
    assert ranking.verdict == expected
    assert cells(ranking, "Ranking", "Ours")["vs Plain"] == difference


def test_differences_and_cost_ratios_of_the_best_two(ranking_of):
    found = cells(ranking_of(content()), "Converse against the best without", "Ours vs Plain")
    assert (found["PSNR (dB)"], found["SSIM"]) == ("+0.900", "-0.1000")
    assert (found["latency, ms"], found["parameters"], found["FLOPs"]) == ("x 2.00", "x 0.40", "x 1.00")


@pytest.mark.parametrize(
    ("kinds", "expected", "best", "reference"),
    [
        ("CCR", "better", ["A vs C"], "C"),
        ("RCC", "worse", ["B vs A"], "A"),
        ("CRR", "better", ["A vs B"], "B"),
        ("CCC", "open", [], "A"),
        ("RRR", "open", [], "A"),
    ],
)
def test_who_is_compared_with_whom(ranking_of, kinds, expected, best, reference):
    """Three models, best first: C has the Converse operator, R does not."""
    results = content()
    results["models"] = {
        name: {
            "uses_converse": kind == "C",
            "cost": cost(1.0, 1),
            "runs": {str(seed): run(30.0 - place) for seed in (0, 1)},
        }
        for place, (name, kind) in enumerate(zip("ABC", kinds, strict=True))
    }
    ranking = ranking_of(results)
    assert ranking.verdict == expected
    assert [row.name for row in tables_of(ranking)["Converse against the best without"].rows] == best
    assert cells(ranking, "Ranking", reference)[f"vs {reference}"] == "reference"


@pytest.mark.parametrize(
    ("form", "value", "text"),
    [
        (with_prefix, 0, "0"),
        (with_prefix, 999.4, "999"),
        (with_prefix, 999.6, "1 k"),
        (with_prefix, 1.234e9, "1.23 G"),
        (rounded, 0.41234, "0.412"),
        (rounded, 41.26, "41.3"),
        (rounded, 4123, "4,120"),
    ],
)
def test_three_significant_digits(form, value, text):
    assert form(value) == text


def test_a_report_of_infinite_values(tmp_path, ranking_of):
    """Ours: inf and 30.2, baseline inf."""
    results = content()
    ours = results["models"]["Ours"]["runs"]["0"]
    ours["final"]["val"]["mean"]["psnr"] = ours["final"]["val"]["images"]["one"]["psnr"] = "inf"
    ours["curve"][-1]["sets"]["val"]["psnr"] = "inf"
    results["benchmark"]["baseline"]["sets"]["val"]["mean"]["psnr"] = "inf"
    ranking = ranking_of(results)
    files = write_report(tmp_path)
    assert tmp_path / "pictures/quality_against_latency.png" in files
    found = cells(ranking, "Ranking", "Ours")
    assert (found["PSNR (dB)"], found["vs Plain"], found["vs bicubic"]) == ("inf ± inf", "+inf ≈", "+0.000 ≈")
    assert cells(ranking, "Ranking", "Plain")["vs bicubic"] == "-inf"
    assert ranking.verdict == "equal"
    assert 'data-number="inf">inf ± inf<' in (tmp_path / "report.html").read_text()


def test_where_costs_were_measured(ranking_of):
    results = content()
    results["models"]["Plain"]["cost"]["environment"] = {**ENVIRONMENT, "commit": "4567def"}
    facts = {row.name: row.cells[0].text for row in tables_of(ranking_of(results))["How it was measured"].rows}
    assert facts["costs measured"] == "2026-01-01 0123abc; 2026-01-01 4567def"
    assert facts["budget of each run"] == "40 iterations" and facts["hardware"] == "an abacus"


def test_a_single_seed_has_no_spread(ranking_of):
    results = content(seeds=[0])
    for part in results["models"].values():
        del part["runs"]["1"]
    assert cells(ranking_of(results), "Ranking", "Ours")["PSNR (dB)"] == "30.000"


def test_unfinished_runs_are_listed(tmp_path, ranking_of):
    results = content(seeds=[0, 1, 2], finished=None)
    results["models"]["Ours"]["runs"]["2"] = unfinished("waiting")
    results["models"]["Plain"]["runs"] = {"0": unfinished("diverged", "l_pix is nan"), "1": unfinished("stopped")}
    ranking = ranking_of(results)
    assert ranking.verdict == "open" and ranked(ranking)[:2] == ["Ours", "Plain"]
    rows = [(row.name, *(cell.text for cell in row.cells)) for row in tables_of(ranking)["Unfinished runs"].rows]
    assert rows == [
        ("Ours", "2", "waiting", "-"),
        ("Plain", "0", "diverged", "l_pix is nan"),
        ("Plain", "1", "stopped", "-"),
    ]
    write_report(tmp_path)
    for name in ("results.md", "report.html"):
        text = (tmp_path / name).read_text()
        assert "Unfinished runs" in text and "l_pix is nan" in text and "not yet" in text


def test_nothing_has_finished(tmp_path, ranking_of):
    results = content()
    for part in results["models"].values():
        part["runs"] = {"0": unfinished("waiting")}
    ranking_of(results)
    assert [path.name for path in write_report(tmp_path)] == ["results.md", "report.html"]
    assert "<b>open</b>" in (tmp_path / "report.html").read_text()


def test_band_over_seeds(ranking_of):
    ranking = ranking_of(content())
    x, mean, spread = band(ranking, ranking.models[0], "iter")
    assert x.tolist() == [10, 20, 40]
    np.testing.assert_allclose(mean, [29.1, 29.6, 29.85])
    np.testing.assert_allclose(spread, 0.2 / math.sqrt(2))


def test_band_over_time_is_at_the_mean_time_of_the_validations_that_seeds_share(ranking_of):
    results = content()
    curve = results["models"]["Ours"]["runs"]["1"]["curve"]
    for point in curve:
        point.update(seconds=1000.0 + point["iter"], sets={"val": {"psnr": 20.0}})
    curve[1]["sets"] = {"other": {"psnr": 20.0}}  # killed before the validation of val
    ranking = ranking_of(results)
    x, mean, _ = band(ranking, ranking.models[0], "seconds")
    assert x.tolist() == [(20 + 1010) / 2, (80 + 1040) / 2]
    np.testing.assert_allclose(mean, [(psnr + 20) / 2 for psnr in (29.0, 29.75)])


def test_crop_and_error(ranking_of, tmp_path):
    results = content()
    write_images(tmp_path, results)
    (comparison,) = find_comparisons(ranking_of(results))
    assert [view.title for view in comparison.views] == ["input", "bicubic", "Ours", "Plain", "ground truth"]
    assert comparison.views[2].detail == "PSNR 31.000"
    assert comparison.window == (16, 16, 80)  # where Ours and Plain differ most
    errors = [np.asarray(comparison.error(view)) for view in comparison.views[1:4]]
    assert [np.unique(error).tolist() for error in errors] == [[10 * AMPLIFY], [4 * AMPLIFY], [10 * AMPLIFY]]
    assert comparison.crop(comparison.views[0]).size == (20, 20)


def test_images_that_were_deleted_are_left_out(ranking_of, tmp_path):
    results = content()
    write_images(tmp_path, results)
    (tmp_path / "images/val/one_1.png").unlink()
    assert find_comparisons(ranking_of(results)) == []


class Page(HTMLParser):
    """Collects tags that are not closed, sources, headings and buttons."""

    VOID = ("meta", "img", "input", "br")

    def __init__(self, text: str):
        super().__init__()
        self.open, self.sources, self.texts = [], [], {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.sources += [value for key, value in attributes if key in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(text)


def test_whole_report(tmp_path, ranking_of):
    results = content()
    write_images(tmp_path, results)
    ranking_of(results)
    files = write_report(tmp_path)
    pictures = [f"pictures/quality_over_{name}.png" for name in ("iterations", "time")]
    pictures += [f"pictures/quality_against_{name}.png" for name in ("latency", "parameters", "flops")]
    pictures += ["pictures/comparison_val_one.png"]
    assert [path.relative_to(tmp_path).as_posix() for path in files] == ["results.md", "report.html", *pictures]
    for path in files[2:]:
        assert cv2.imread(str(path)).std() > 10, f"{path} is blank"
    markdown, html = files[0].read_text(), files[1].read_text()
    assert all(f"]({name})" in markdown for name in pictures)
    page = Page(html)
    assert page.open == []
    assert page.texts["h2"] == [
        "Converse against the best without",
        "Ranking",
        "Differences in every metric",
        "Training",
        "Cost",
        "Images",
        "How it was measured",
    ]
    assert page.texts["button"].count("latency, ms") == 2  # summary and ranking can be sorted
    # plots; slider and crops of all views; errors of all but input and ground truth
    assert len(page.sources) == 5 + 5 + 5 + 3
    assert all(source.startswith("data:image/") for source in page.sources) and "http" not in html.split("<body>")[1]
    for text in (markdown, html):
        assert "basicsr benchmark -opt tiny.yml" in text and "an abacus" in text and "0123abc" in text
    before = {path: path.read_bytes() for path in files}
    assert write_report(tmp_path) == files
    assert {path: path.read_bytes() for path in files} == before


def test_every_string_is_escaped(tmp_path, ranking_of):
    evil = '<i>&"|$x$'
    results = content(name=evil, command=evil)
    write_images(tmp_path, results)
    results["models"] = {f"{evil}{name}": part for name, part in results["models"].items()}
    results["models"][f"{evil}Plain"]["runs"]["1"] = unfinished("stopped", evil)
    results["environment"] = {**ENVIRONMENT, evil: evil}
    ranking_of(results)
    write_report(tmp_path)
    page, markdown = ((tmp_path / name).read_text() for name in ("report.html", "results.md"))
    assert "<i>" not in page and '&"' not in page and "<i>" not in markdown
    assert "&lt;i&gt;&amp;&#34;|$x$Ours" in page
    table = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table[:3]}) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "cannot read .*results.json"), ("{", "is not JSON"), ("{}", "has no 'models'")],
)
def test_a_broken_file_is_refused(tmp_path, text, message):
    if text is not None:
        (tmp_path / "results.json").write_text(text)
    with pytest.raises(UserError, match=message):
        write_report(tmp_path)
