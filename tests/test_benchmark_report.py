"""The report of a benchmark, on made-up numbers that are checked by hand."""

import json
import math
import re

import cv2
import numpy as np
import pytest

from converse_basicsr.benchmark.reporting import wording, write_report
from converse_basicsr.benchmark.reporting.comparing import compare
from converse_basicsr.benchmark.reporting.notes import facts
from converse_basicsr.benchmark.reporting.panels import AMPLIFY, find_comparisons
from converse_basicsr.benchmark.reporting.pictures import _tick, band
from converse_basicsr.benchmark.reporting.standings import Score, read_standings
from converse_basicsr.benchmark.reporting.summary import summarise
from converse_basicsr.benchmark.reporting.tables import change_table, main_table
from converse_basicsr.errors import UserError

SIDE = 96


def run(psnr: float, ssim: float = 0.8, **changes) -> dict:
    final = {name: {"psnr": psnr + shift, "ssim": ssim} for name, shift in (("one", 1.0), ("two", -1.0))}
    curve = [
        {"iter": i, "seconds": 2.0 * i, "sets": {"val": {"psnr": psnr - 10 / i, "ssim": ssim}}} for i in (10, 20, 40)
    ]
    return {
        "status": "done",
        "reason": None,
        "seconds": 80.0,
        "iterations": 40,
        "curve": curve,
        "final": {"val": {"mean": {"psnr": psnr, "ssim": ssim}, "images": final}},
        "images": {},
        **changes,
    }


def unfinished(status: str, reason: str | None = None) -> dict:
    return run(0.0, status=status, reason=reason, final=None, curve=[])


def cost(latency: float, parameters: int) -> dict:
    around = {"median": latency, "low": latency * 0.9, "high": latency * 1.2}
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
    }


def content(**changes) -> dict:
    """Converse: 30.0 and 30.2; rival: 29.0 and 29.4; bicubic: 28.5. Latency 20 and 10 ms."""
    entrants = {
        "Ours": ("ConverseSRResNet", cost(20.0, 1000), [30.0, 30.2], 0.8),
        "Rival": ("MSRResNet", cost(10.0, 2500), [29.0, 29.4], 0.9),
    }
    images = {"one": {"psnr": 29.5, "ssim": 0.7}, "two": {"psnr": 27.5, "ssim": 0.7}}
    return {
        "benchmark": {
            "name": "tiny benchmark",
            "file": "tiny.yml",
            "command": "basicsr benchmark -opt tiny.yml",
            "started": "2026-01-01 10:00",
            "finished": "2026-01-01 11:00",
            "seeds": [0, 1],
            "budget": {"iterations": 40},
            "sets": ["val"],
            "metrics": ["psnr", "ssim"],
            "scale": 4,
            "baseline": {"name": "bicubic", "sets": {"val": {"mean": {"psnr": 28.5, "ssim": 0.7}, "images": images}}},
            **changes,
        },
        "environment": {"hardware": "an abacus", "commit": "0123abc", "date": "2026-01-01"},
        "entrants": {
            name: {
                "network": {"type": kind},
                "cost": prices,
                "runs": {str(seed): run(psnr, ssim) for seed, psnr in enumerate(values)},
            }
            for name, (kind, prices, values, ssim) in entrants.items()
        },
    }


@pytest.fixture
def standings_of(tmp_path):
    def read(results: dict):
        (tmp_path / "results.json").write_text(json.dumps(results))
        return read_standings(tmp_path)

    return read


def write_images(folder, results: dict) -> None:
    """Ground truth of `one`; restored images that are off by 2 and 5, more so in the lower right corner."""
    truth = np.random.default_rng(0).integers(60, 180, (SIDE, SIDE, 3), dtype=np.uint8)
    images = folder / "images/val"
    images.mkdir(parents=True)
    for kind, image in (("gt", truth), ("lq", truth[::4, ::4]), ("baseline", truth + 10)):
        cv2.imwrite(str(images / f"one_{kind}.png"), image)
    for name, off in (("Ours", 2), ("Rival", 5)):
        restored = truth + off
        restored[-80:, -80:] += off
        path = f"restored/{len(name)}.png"
        (folder / "restored").mkdir(exist_ok=True)
        cv2.imwrite(str(folder / path), restored)
        results["entrants"][name]["runs"]["0"]["images"] = {"val": {"one": path}}


def cells(table, name: str) -> dict[str, str]:
    row = next(row for row in table.rows if row.name == name)
    return dict(zip(table.columns, (cell.text for cell in row.cells), strict=True))


def test_table_by_hand(standings_of):
    table = main_table(standings_of(content()))
    assert [row.name for row in table.rows] == ["Ours", "Rival", "bicubic (baseline)"]
    ours = cells(table, "Ours")
    assert ours["PSNR (dB)"] == "30.100 ± 0.141"  # 0.2 / sqrt(2)
    assert ours["SSIM"] == "0.8000 ± 0.0000"
    assert ours["vs bicubic"] == "+1.600" and ours["vs Rival"] == "+0.900"
    assert ours["parameters"] == "1,000" and ours["activations"] == "3.25 M"
    assert ours["FLOPs"] == "1.50 G" and ours["FLOPs with FFT"] == "2.50 G"
    assert ours["latency, ms"] == "20.0 (18.0-24.0)" and ours["training step, ms"] == "60.0 (54.0-72.0)"
    assert ours["memory, MiB"] == "40.0" and ours["training memory, MiB"] == "400"
    assert ours["runs"] == "2 of 2" and ours["training time"] == "80 s"
    assert cells(table, "Rival")["vs Rival"] == "reference"
    assert cells(table, "bicubic (baseline)")["PSNR (dB)"] == "28.500"


def test_changes_in_every_metric(standings_of):
    assert cells(change_table(standings_of(content())), "Ours") == {
        "PSNR vs bicubic": "+1.600",
        "PSNR vs Rival": "+0.900",
        "SSIM vs bicubic": "+0.1000",
        "SSIM vs Rival": "-0.1000",
    }


def test_lower_can_be_better(standings_of):
    standings = standings_of(content(metrics=["ssim"], better={"ssim": "lower"}))
    assert [entrant.name for entrant in standings.ranked] == ["Ours", "Rival"]
    assert summarise(standings).verdict == "better"


def test_several_sets_have_a_column_each(standings_of):
    results = content(sets=["val", "other"])
    results["entrants"]["Rival"]["runs"]["0"]["final"]["other"] = {"mean": {"psnr": 31.0, "ssim": 0.5}, "images": {}}
    table = main_table(standings_of(results))
    assert cells(table, "Rival")["PSNR on other (dB)"] == "31.000"
    assert cells(table, "Ours")["PSNR on other (dB)"] == "-"


def test_the_spread_of_a_difference():
    difference = compare(Score({"0": 1.0, "1": 3.0}), Score({"0": 1.0, "1": 1.0}))
    assert difference.value == 1.0 and math.isclose(difference.spread, math.sqrt(2))
    assert difference.is_within_spread
    assert not compare(Score({"0": 1.0}), Score({"0": 1.001})).is_within_spread  # one seed has no spread


@pytest.mark.parametrize(
    "ours, verdict, words",
    [
        ([30.0, 30.2], "better", "better than the best rival, Rival, by 0.900 dB PSNR, more than the spread"),
        ([28.0, 28.2], "worse", "not better: Ours is 1.100 dB PSNR behind the best rival, Rival"),
        ([29.0, 29.5], "equal", "No clear difference: Ours and the best rival Rival are 0.050 dB PSNR apart"),
    ],
)
def test_verdict(standings_of, ours, verdict, words):
    results = content()
    for seed, psnr in enumerate(ours):
        results["entrants"]["Ours"]["runs"][str(seed)] = run(psnr)
    standings = standings_of(results)
    summary = summarise(standings)
    assert summary.verdict == verdict and words in summary.headline
    assert ("≈" in cells(main_table(standings), "Ours")["vs Rival"]) == (verdict == "equal")


def test_price_and_the_other_metric_in_words(standings_of):
    summary = summarise(standings_of(content()))
    found = {ratio.name: (ratio.value, ratio.detail) for ratio in summary.ratios}
    assert found["latency"] == (2.0, "20.0 against 10.0 ms") and found["parameters"] == (0.4, "1,000 against 2,500")
    assert "By SSIM it is the other way round." in summary.sentences
    assert "Ours is ahead of Rival on 2 of 2 images." in summary.sentences
    assert "The best of all, Ours, improves on bicubic by 1.600 dB." in summary.sentences


@pytest.mark.parametrize(
    "value, text",
    [(0, "0"), (999.4, "999"), (999.6, "1.00 k"), (1000, "1.00 k"), (999_600, "1.00 M"), (1.5e9, "1.50 G")],
)
def test_prefixes(value, text):
    assert wording.with_prefix(value) == text
    assert _tick(value) == text.replace("1.00", "1").replace("1.50", "1.5")


def infinite(value) -> dict:
    """Ours: inf and 30.2, baseline inf, as results.json has it."""
    results = content()
    ours = results["entrants"]["Ours"]["runs"]["0"]
    ours["final"]["val"]["mean"]["psnr"] = ours["final"]["val"]["images"]["one"]["psnr"] = value
    ours["curve"][-1]["sets"]["val"]["psnr"] = value
    results["benchmark"]["baseline"]["sets"]["val"]["mean"]["psnr"] = value
    return results


def test_a_report_of_infinite_values(tmp_path):
    (tmp_path / "results.json").write_text(json.dumps(infinite("inf"), allow_nan=False))
    files = write_report(tmp_path)
    standings = read_standings(tmp_path)
    assert "pictures/quality_against_latency.png" in [path.relative_to(tmp_path).as_posix() for path in files]
    ours = cells(main_table(standings), "Ours")
    assert ours["PSNR (dB)"] == "inf ± inf" and ours["vs Rival"] == "+inf ≈" and ours["vs bicubic"] == "+0.000"
    assert cells(main_table(standings), "Rival")["vs bicubic"] == "-inf"
    summary = summarise(standings)
    assert summary.verdict == "equal" and summary.caveats[0].startswith("An infinite PSNR")
    assert "Ours and Rival do not improve on bicubic." in summary.sentences
    assert "data-number=Infinity>inf ± inf<" in (tmp_path / "report.html").read_text()


def test_finite_reports_have_no_caveat_of_infinity(standings_of):
    assert not any("infinite" in caveat for caveat in summarise(standings_of(content())).caveats)


def test_equal_infinite_scores_are_no_difference():
    exact = Score({"0": math.inf, "1": math.inf})
    assert (exact.mean, exact.spread) == (math.inf, 0.0)
    assert compare(exact, exact).value == 0.0


def test_costs_measured_elsewhere_are_said_to_be(standings_of):
    results = content()
    assert "costs measured on" not in facts(standings_of(results))
    for name, commit in (("Ours", "0123abc"), ("Rival", "4567def")):
        environment = {**results["environment"], "commit": commit}
        results["entrants"][name]["cost"]["environment"] = environment
    expected = "an abacus, 0123abc, 2026-01-01; an abacus, 4567def, 2026-01-01"
    assert facts(standings_of(results))["costs measured on"] == expected


def test_what_is_better_and_faster(standings_of):
    results = content()
    results["entrants"]["Rival"]["cost"] = cost(30.0, 2500)
    assert "Ours is both better and faster than Rival." in summarise(standings_of(results)).sentences


def test_a_twin_without_the_operator_is_a_rival(standings_of):
    results = content()
    results["entrants"]["Rival"]["network"] = {"type": "ConverseSRResNet", "spatial_op": "conv"}
    assert standings_of(results).rival.name == "Rival"


@pytest.mark.parametrize("known", [{"uses_converse": True}, {}], ids=["noted", "of an earlier version"])
def test_an_upsampler_is_converse_as_a_whole_network_is(standings_of, known):
    results = content()
    results["entrants"]["Ours"] |= {"network": {"type": "UpsamplerSRResNet", "upsampler": "converse"}, **known}
    standings = standings_of(results)
    assert (standings.converse.name, standings.rival.name) == ("Ours", "Rival")


def test_what_was_noted_of_the_network_goes_before_its_type(standings_of):
    results = content()
    results["entrants"]["Ours"]["uses_converse"] = False
    results["entrants"]["Rival"]["uses_converse"] = True
    standings = standings_of(results)
    assert (standings.converse.name, standings.rival.name) == ("Rival", "Ours")


@pytest.mark.parametrize(
    "kinds, words",
    [
        ("CCR", "A, the best of 2 networks with Converse, is better than the best rival, B, by 1.000 dB PSNR"),
        ("RCC", "Converse is not better: B, the best of 2 networks with Converse, is 1.000 dB PSNR behind"),
        ("CRR", "A is better than the best rival, B, by"),
        ("CCC", "A is best with PSNR 30.000 dB; there is no network without Converse to compare with."),
        ("RRR", "A is best with PSNR 30.000 dB; there is no network with Converse to compare with."),
    ],
)
def test_headline_where_several_have_the_operator(standings_of, kinds, words):
    """Of the best three: C has the operator, R has not."""
    order = "ACB" if kinds == "CCR" else "ABC"
    results = content()
    results["entrants"] = {
        name: {
            "network": {"type": "MSRResNet"},
            "uses_converse": kind == "C",
            "runs": {str(seed): run(30.0 - 0.5 * place - 0.5 * (place > 0) * (kinds != "CCR")) for seed in (0, 1)},
        }
        for place, (name, kind) in enumerate(zip(order, kinds, strict=True))
    }
    assert words in summarise(standings_of(results)).headline


def test_one_seed_is_said_to_be_one(standings_of):
    results = content(seeds=[0])
    for part in results["entrants"].values():
        del part["runs"]["1"]
    standings = standings_of(results)
    summary = summarise(standings)
    assert "a single run: it may be chance" in summary.headline and summary.caveats[0].startswith("One seed only")
    assert cells(main_table(standings), "Ours")["PSNR (dB)"] == "30.000"


def test_unfinished_runs_and_missing_costs_are_named(tmp_path):
    results = content(seeds=[0, 1, 2], finished=None)
    results["entrants"]["Rival"]["runs"] = {"0": unfinished("diverged", "loss is nan"), "1": unfinished("stopped")}
    results["entrants"]["Rival"]["cost"] = None
    (tmp_path / "results.json").write_text(json.dumps(results))
    write_report(tmp_path)
    for name in ("results.md", "report.html"):
        text = (tmp_path / name).read_text()
        assert "no network without Converse has finished" in text
        assert "4 of 6 runs are missing (Ours and Rival)" in text
        assert "Rival, seed 0: diverged (loss is nan)" in text
        assert "Rival, seed 1: stopped" in text and "Ours, seed 2: waiting" in text
        assert "Costs are not measured yet for Rival." in text
        assert "not yet" in text


def test_nothing_has_finished(tmp_path):
    results = content(baseline=None)
    for part in results["entrants"].values():
        part.update(cost=None, runs={})
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert [path.name for path in write_report(tmp_path)] == ["results.md", "report.html"]
    assert "No run has finished yet" in (tmp_path / "report.html").read_text()


def test_band_over_seeds(standings_of):
    standings = standings_of(content())
    x, mean, spread = band(standings, standings.entrants[0], "iter")
    assert x.tolist() == [10, 20, 40]
    np.testing.assert_allclose(mean, [29.1, 29.6, 29.85])
    np.testing.assert_allclose(spread, 0.2 / math.sqrt(2))


def test_band_over_time_is_at_the_mean_time_of_the_validations_that_seeds_share(standings_of):
    results = content()
    curve = results["entrants"]["Ours"]["runs"]["1"]["curve"]
    for point in curve:
        point.update(seconds=1000.0 + point["iter"], sets={"val": {"psnr": 20.0}})
    del curve[1]  # the validation at iteration 20
    standings = standings_of(results)
    x, mean, _ = band(standings, standings.entrants[0], "seconds")
    assert x.tolist() == [(20 + 1010) / 2, (80 + 1040) / 2]
    np.testing.assert_allclose(mean, [(psnr + 20) / 2 for psnr in (29.0, 29.75)])


def test_crop_and_error(standings_of, tmp_path):
    results = content()
    write_images(tmp_path, results)
    (comparison,) = find_comparisons(standings_of(results))
    assert [view.title for view in comparison.views] == ["input", "bicubic", "Ours", "Rival", "ground truth"]
    assert comparison.views[2].detail == "31.00 dB"
    assert comparison.window == (16, 16, 80)  # where Ours and Rival differ most
    errors = [np.asarray(comparison.error(view)) for view in comparison.views[1:4]]
    assert [np.unique(error).tolist() for error in errors] == [[10 * AMPLIFY], [4 * AMPLIFY], [10 * AMPLIFY]]
    assert comparison.crop(comparison.views[0]).size == (20, 20)


def test_whole_report(tmp_path):
    results = content()
    write_images(tmp_path, results)
    (tmp_path / "results.json").write_text(json.dumps(results))
    files = write_report(tmp_path)
    names = [path.relative_to(tmp_path).as_posix() for path in files]
    pictures = [f"pictures/quality_over_{name}.png" for name in ("iterations", "time")]
    pictures += [f"pictures/quality_against_{name}.png" for name in ("latency", "parameters", "flops")]
    assert names == ["results.md", "report.html", *pictures, "pictures/comparison_val_one.png"]
    for path in files[2:]:
        assert cv2.imread(str(path)).std() > 10, f"{path} is blank"
    markdown, page = files[0].read_text(), files[1].read_text()
    assert all(f"]({name})" in markdown for name in names[2:])
    for title in ("Summary", "Table", "Training", "Cost", "Images", "How it was measured", "To keep in mind"):
        assert f">{title}</h2>" in page
    for text in (markdown, page):
        assert "basicsr benchmark -opt tiny.yml" in text and "an abacus" in text and "0123abc" in text
    sources = re.findall(r'(?:src|href|url)\s*[=(]\s*"?([^">\s]+)', page)
    assert len(sources) > 10 and all(source.startswith(("data:image/", "#")) for source in sources)
    assert "http:" not in page and "https:" not in page
    before = {path: path.read_bytes() for path in files}
    assert write_report(tmp_path) == files
    assert {path: path.read_bytes() for path in files} == before
    assert not list(tmp_path.rglob("*.partial*"))


def test_every_string_is_escaped(tmp_path):
    evil = '<b>&"|$x$'
    results = content(name=evil, command=evil)
    write_images(tmp_path, results)
    results["entrants"] = {f"{evil}{name}": part for name, part in results["entrants"].items()}
    results["entrants"][f"{evil}Rival"]["runs"]["1"] = unfinished("stopped", evil)
    results["environment"][evil] = evil
    (tmp_path / "results.json").write_text(json.dumps(results))
    write_report(tmp_path)
    page, markdown = ((tmp_path / name).read_text() for name in ("report.html", "results.md"))
    assert "<b>&" not in page and '&"' not in page
    assert "&lt;b&gt;&amp;&quot;|$x$Ours" in page
    assert "<b>" not in markdown
    table = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table[:5]}) == 1


@pytest.mark.parametrize(
    "text, message",
    [
        (None, "cannot read .*results.json"),
        ("{", "is no JSON"),
        ("{}", "lacks 'benchmark'"),
        (json.dumps(content(metrics=[])), "at least one set and one metric"),
    ],
)
def test_a_file_that_is_none(tmp_path, text, message):
    if text is not None:
        (tmp_path / "results.json").write_text(text)
    with pytest.raises(UserError, match=message):
        write_report(tmp_path)
