"""basicsr benchmark with models that are not trained: networks with weights, and classical methods."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tiny import options, write_images

import converse_basicsr.archs
import converse_basicsr.data
import converse_basicsr.metrics
import converse_basicsr.models  # noqa: F401 (register)
from converse_basicsr import load_network, networks
from converse_basicsr.benchmark import runner, timing, training
from converse_basicsr.benchmark.as_given import find_missing
from converse_basicsr.benchmark.reporting import pages
from converse_basicsr.benchmark.reporting.pages import write_report
from converse_basicsr.benchmark.reporting.ranking import read_ranking
from converse_basicsr.benchmark.reporting.tables import tables_of
from converse_basicsr.benchmark.spec import check_benchmark, read_benchmark
from converse_basicsr.benchmark.whole_images import growth
from converse_basicsr.checks import check_run
from converse_basicsr.cli import main
from converse_basicsr.errors import UserError
from converse_basicsr.weights.catalogue import ADDRESS_VARIABLE, KAIR_ADDRESS, PUBLISHED
from converse_basicsr.weights.detection import with_names_of
from converse_basicsr.weights.reading import state_dict_for

from basicsr.archs import build_network

SMALL = {"num_feat": 4, "num_block": 1, "upscale": 4}
CONVERSE = {"type": "ConverseSRResNet", **SMALL, "weights": "converse.pth"}
MODELS = {
    "Converse SR": CONVERSE,
    "MSRResNet": {"type": "MSRResNet", **SMALL, "weights": "msrresnet.pth", "param_key": "params_ema"},
    "Bicubic": {"type": "Bicubic"},
}
FOLDER = Path("results/benchmark/bench")


def write_benchmark(models: dict, **changes) -> None:
    """bench.yml: no training, small images."""
    opt = options(datasets__val__type="BicubicSRDataset")
    del opt["datasets"]["train"], opt["datasets"]["val"]["dataroot_lq"], opt["val"]["val_freq"]
    recipe = {key: opt[key] for key in ("scale", "datasets", "val")}
    content = {"name": "bench", "models": models, "recipe": recipe, **changes}
    Path("bench.yml").write_text(yaml.safe_dump(content, sort_keys=False))


def save_weights(seed: int = 0) -> None:
    torch.manual_seed(seed)
    ours = networks.ConverseSRResNet(**SMALL).state_dict()
    torch.save({name: value + 0.1 * torch.randn_like(value) for name, value in ours.items()}, "converse.pth")
    other = build_network({"type": "MSRResNet", **SMALL}).state_dict()
    torch.save({"params": {name: 0 * value for name, value in other.items()}, "params_ema": other}, "msrresnet.pth")


@pytest.fixture
def here(in_tmp, monkeypatch):
    write_images(in_tmp / "data")
    save_weights()
    monkeypatch.setattr(runner, "COST_INPUT", 8)  # to save time
    monkeypatch.setattr(timing, "MAX_RUNS", 2)
    monkeypatch.setattr(pages, "write_report", lambda folder: [])
    return in_tmp


def bench(*arguments, code=0) -> dict:
    assert main(["benchmark", "-opt", "bench.yml", *arguments]) == code
    return json.loads((FOLDER / "results.json").read_text()) if code in (0, 1) else {}


def psnr_of(content: dict, name: str) -> float:
    return content["models"][name]["runs"]["as given"]["final"]["tiny_val"]["mean"]["psnr"]


def test_models_with_weights_are_evaluated_and_reported(here):
    write_benchmark(MODELS)
    content = bench()
    write_report(FOLDER)
    head = content["benchmark"]
    assert head["finished"] and head["seeds"] == [] and head["budget"] == {}
    assert psnr_of(content, "Bicubic") == pytest.approx(head["baseline"]["sets"]["tiny_val"]["mean"]["psnr"], abs=0.1)
    for name, model in content["models"].items():
        [(key, run)] = model["runs"].items()
        assert (key, run["status"], run["iterations"], run["curve"]) == ("as given", "done", 0, [])
        assert list(run["whole_images"]["seconds"]) == ["tiny_val"] and run["whole_images"]["seconds"]["tiny_val"] > 0
        assert all((FOLDER / path).is_file() for path in run["images"]["tiny_val"].values())
        assert model["uses_converse"] == (name == "Converse SR")
    weights = content["models"]["MSRResNet"]["runs"]["as given"]["weights"]
    assert weights["file"] == "msrresnet.pth" and len(weights["sha256"]) == 64
    assert content["models"]["Bicubic"]["cost"]["training_step_ms"] is None
    assert not (FOLDER / "experiments").exists()
    tables = tables_of(read_ranking(FOLDER))
    ranking, facts = tables["Ranking"], {row.name: row.cells[0].text for row in tables["How it was measured"].rows}
    assert "training time, min" not in ranking.columns and "time of an image, s" in ranking.columns
    assert {"seeds", "budget of each run"}.isdisjoint(facts) and "weights of MSRResNet" in facts
    assert "All trained models" not in tables["How it was measured"].caption
    assert (FOLDER / "pictures/comparison_tiny_val_image0.png").is_file()
    page = (FOLDER / "report.html").read_text()
    assert "<h2>Images</h2>" in page and "Bicubic" in page


def test_the_numbers_are_those_of_basicsr_test(here):
    write_benchmark({"Converse SR": CONVERSE})
    [measured] = [psnr_of(bench(), "Converse SR")]
    opt = options(datasets__val__type="BicubicSRDataset", model_type="RestorationModel")
    for key in ("train", "logger"):
        del opt[key]
    opt["datasets"] = {"test": {k: v for k, v in opt["datasets"]["val"].items() if k != "dataroot_lq"}}
    opt["path"] = {"pretrain_network_g": "converse.pth", "param_key_g": None}
    del opt["val"]["val_freq"]
    Path("test.yml").write_text(yaml.safe_dump(opt))
    assert main(["test", "-opt", "test.yml"]) == 0
    log = next(Path("results/tiny").glob("*.log")).read_text()
    assert f"{measured:.4f}" in log


def test_param_key_decides(here):
    write_benchmark({"A": {**MODELS["MSRResNet"], "param_key": "params"}, "B": MODELS["MSRResNet"]})
    content = bench()
    assert psnr_of(content, "A") != psnr_of(content, "B")


def test_what_is_measured_is_not_measured_again_unless_the_file_changes(here, monkeypatch):
    write_benchmark({"Converse SR": CONVERSE, "Bicubic": {"type": "Bicubic"}})
    first = bench()
    with monkeypatch.context() as patched:
        patched.setattr(runner, "measure_run", None)
        assert bench() == first
    save_weights(seed=1)
    second = bench()
    assert psnr_of(second, "Converse SR") != psnr_of(first, "Converse SR")
    assert second["models"]["Bicubic"] == first["models"]["Bicubic"]


def test_a_missing_file_is_named_and_the_rest_runs(here, capsys):
    missing = {"type": "RRDBNet", "num_in_ch": 3, "num_out_ch": 3, "weights": "zoo/rrdb.pth", "source": "the model zoo"}
    write_benchmark({"RRDB": missing, "Converse SR": CONVERSE})
    content = bench()
    reason = "no such checkpoint: zoo/rrdb.pth; it is from the model zoo"
    assert f"left out: RRDB: {reason}" in capsys.readouterr().out
    run = content["models"]["RRDB"]["runs"]["as given"]
    assert (run["status"], run["reason"]) == ("missing", reason) and content["benchmark"]["finished"] is None
    assert content["models"]["RRDB"]["cost"] is None
    assert content["models"]["Converse SR"]["runs"]["as given"]["status"] == "done"
    rows = tables_of(read_ranking(FOLDER))["Unfinished runs"].rows
    assert [[cell.text for cell in row.cells] for row in rows] == [["as given", "missing", reason]]


def test_a_file_that_is_there_later_is_evaluated_then(here):
    Path("converse.pth").rename("elsewhere.pth")
    write_benchmark({"Converse SR": CONVERSE, "Bicubic": {"type": "Bicubic"}})
    assert bench()["models"]["Converse SR"]["runs"]["as given"]["status"] == "missing"
    Path("elsewhere.pth").rename("converse.pth")
    content = bench()
    assert content["models"]["Converse SR"]["runs"]["as given"]["status"] == "done" and content["benchmark"]["finished"]


def test_a_missing_package_is_named_and_the_rest_runs(here, monkeypatch):
    monkeypatch.setitem(sys.modules, "bm3d", None)
    monkeypatch.setitem(sys.modules, "spandrel", None)
    models = {"BM3D": {"type": "BM3D"}, "Other": {"type": "Spandrel", "weights": "converse.pth"}, **MODELS}
    write_benchmark(models)
    missing = find_missing(read_benchmark("bench.yml"))
    assert missing["BM3D"].startswith("BM3D needs pip install bm3d")
    assert missing["Other"].startswith("Spandrel needs pip install spandrel") and len(missing) == 2


def test_nothing_to_evaluate(here, capsys):
    write_benchmark({"A": {**CONVERSE, "weights": "nowhere.pth"}})
    bench(code=2)
    assert "bench.yml: nothing to evaluate: A: no such checkpoint: nowhere.pth" in capsys.readouterr().err


def test_a_method_that_fails_stops_alone(here, monkeypatch, capsys):
    from converse_basicsr.classical import Bicubic

    write_benchmark({"Bicubic": {"type": "Bicubic"}, "Converse SR": CONVERSE})
    forward = Bicubic.forward

    def fail(self, x):
        if x.shape[-1] == 16:  # a whole image, not the corner of the checks and the costs
            raise RuntimeError("out of memory")
        return forward(self, x)

    monkeypatch.setattr(runner, "check_benchmark", lambda benchmark, missing: None)
    monkeypatch.setattr(Bicubic, "forward", fail)
    content = bench(code=1)
    run = content["models"]["Bicubic"]["runs"]["as given"]
    assert (run["status"], run["reason"]) == ("stopped", "RuntimeError: out of memory")
    assert "Bicubic: stopped: RuntimeError: out of memory" in capsys.readouterr().out
    assert content["models"]["Converse SR"]["runs"]["as given"]["status"] == "done"


def test_beside_models_that_are_trained(here, monkeypatch):
    monkeypatch.setattr(training, "run_command", lambda arguments, folder, log, look: main(arguments))
    opt = options(datasets__train__type="BicubicSRDataset", datasets__val__type="BicubicSRDataset")
    for section in opt["datasets"].values():
        section.pop("dataroot_lq")
    recipe = {key: opt[key] for key in ("scale", "datasets", "train", "val", "logger")}
    models = {"Converse SR": CONVERSE, "EDSR": {"type": "EDSR", "num_in_ch": 3, "num_out_ch": 3, **SMALL}}
    write_benchmark(models, seeds=[0, 1], budget={"iterations": 2}, recipe=recipe)
    content = bench()
    assert list(content["models"]["Converse SR"]["runs"]) == ["as given"]
    assert list(content["models"]["EDSR"]["runs"]) == ["0", "1"]
    assert all(run["status"] == "done" for model in content["models"].values() for run in model["runs"].values())
    ranking = tables_of(read_ranking(FOLDER))["Ranking"]
    column = ranking.columns.index("training time, min") - 1
    assert {row.name: row.cells[column].text == "-" for row in ranking.rows[:2]} == {"Converse SR": True, "EDSR": False}


def test_a_network_of_spandrel(here):
    pytest.importorskip("converse_basicsr.spandrel", exc_type=ImportError)  # prepares torchvision
    from spandrel.architectures.Compact import Compact

    torch.save(Compact(num_feat=4, num_conv=1, upscale=4).state_dict(), "compact.pth")
    write_benchmark({"Compact": {"type": "Spandrel", "weights": "compact.pth"}, "Bicubic": {"type": "Bicubic"}})
    content = bench()
    assert content["models"]["Compact"]["runs"]["as given"]["status"] == "done"
    assert content["models"]["Compact"]["cost"]["parameters"] > 0
    torch.save({"a": torch.ones(1)}, "compact.pth")
    with pytest.raises(UserError, match="spandrel recognises no network in it"):
        check_benchmark(read_benchmark("bench.yml"))


@pytest.mark.parametrize(
    ("models", "changes", "message"),
    [
        (MODELS, {"seeds": [0]}, "seeds: no model is trained, so it has no effect"),
        (MODELS, {"budget": {"iterations": 1}}, "budget: no model is trained, so it has no effect"),
        ({"A": {"type": "EDSR"}, **MODELS}, {}, "seeds: is needed to train a model"),
        ({"A": {"type": "EDSR"}}, {"seeds": [0]}, "recipe:train: is needed to train a model"),
        ({"A": {"type": "Bicubic", "weights": "a.pth"}}, {}, "models:A:weights: Bicubic has no weights"),
        ({"A": {"type": "Bicubic", "param_key": "a"}}, {}, "models:A:param_key: is for a model with weights"),
        ({"A": {"type": "Bicubic", "source": "a"}}, {}, "models:A:source: is for a model with weights"),
        ({"A": {"type": "Spandrel"}}, {}, "models:A:weights: Spandrel needs a file"),
        ({"A": {"type": "Bicubic", "upscale": 2}}, {}, "models: A: network_g: Bicubic makes"),
        ({"A": {**CONVERSE, "num_feat": 8}}, {}, "A: path:pretrain_network_g: converse.pth does not fit"),
        ({"A": {**MODELS["MSRResNet"], "param_key": "other"}}, {}, "A: path:pretrain_network_g: .* has no 'other'"),
        ({"A": {"type": "BM3D", "sigmas": 3}}, {}, "network_g: BM3D has no option 'sigmas'; did you mean sigma"),
    ],
)
def test_wrong_files_are_refused(here, models, changes, message):
    write_benchmark(models, **changes)
    with pytest.raises(UserError, match=message):
        check_benchmark(read_benchmark("bench.yml"))


def test_a_classical_method_cannot_be_trained(in_tmp):
    write_images(in_tmp / "data")
    with pytest.raises(UserError, match="network_g: Bicubic has no parameters to train"):
        check_run(options(network_g={"type": "Bicubic"}), is_train=True)


# --- KAIR's DnCNN ---

DNCNN = {"num_feat": 4, "num_layer": 4, "batch_norm": False}


def save_as_kair(path: Path) -> networks.DnCNN:
    network = networks.DnCNN(**DNCNN).eval()
    torch.save({name.replace("body.", "model."): value for name, value in network.state_dict().items()}, path)
    return network


def test_option_files_take_the_names_of_kair(in_tmp):
    network = save_as_kair(in_tmp / "kair.pth")
    _, found = state_dict_for(networks.DnCNN(**DNCNN), "kair.pth", None)
    assert found.keys() == network.state_dict().keys()
    write_images(in_tmp / "data", size=32)
    opt = options(network_g={"type": "DnCNN", **DNCNN}, scale=1)
    opt["datasets"] = {
        "test": {
            "name": "noisy",
            "type": "GaussianDenoisingDataset",
            "dataroot_gt": "data/HR",
            "io_backend": {"type": "disk"},
            "color": "gray",
            "sigma": 25,
        }
    }
    for key in ("train", "logger"):
        del opt[key]
    opt["path"] = {"pretrain_network_g": "kair.pth", "param_key_g": None}
    del opt["val"]["val_freq"]
    opt["model_type"] = "RestorationModel"
    Path("test.yml").write_text(yaml.safe_dump(opt))
    assert main(["test", "-opt", "test.yml"]) == 0
    with pytest.raises(UserError, match="does not fit DnCNN: .* unexpected"):
        check_run({**opt, "network_g": {"type": "DnCNN", **DNCNN, "num_layer": 3}}, is_train=False)


def test_other_names_stay():
    network = networks.ConverseDnCNN(num_feat=4, num_block=1)
    state_dict = network.state_dict()
    assert with_names_of(network, state_dict) is state_dict
    other = {"model.a": torch.ones(1)}
    assert with_names_of(network, other) is other


def test_the_published_dncnn_restores(assets):
    """One image of Set12, with the protocol of basicsr reproduce."""
    from converse_basicsr.evaluation.measure import validation_set
    from converse_basicsr.evaluation.scores import psnr

    from basicsr.utils import tensor2img

    section = {
        "name": "Set12",
        "type": "GaussianDenoisingDataset",
        "dataroot_gt": str(assets / "testsets/set12"),
        "io_backend": {"type": "disk"},
        "color": "gray",
        "sigma": 25,
    }
    sample = validation_set(section, {})[0]
    network = load_network("kair_dncnn_25")
    assert type(network) is networks.DnCNN and network.in_channels == 1
    with torch.no_grad():
        restored = network(sample["lq"][None])
    restored, gt = tensor2img([restored]), tensor2img([sample["gt"]])
    assert psnr(restored[..., None], gt[..., None]) == pytest.approx(30.208, abs=0.005)


@pytest.mark.parametrize("entry", PUBLISHED.values(), ids=lambda entry: entry.name)
def test_the_catalogue_describes_the_files(assets, entry):
    assert entry.is_at(assets / "weights" / entry.file)
    assert type(load_network(assets / "weights" / entry.file)).__name__ == entry.network


def test_where_the_file_of_kair_is_from(monkeypatch, capsys):
    monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)
    entry = PUBLISHED["kair_dncnn_25"]
    assert entry.address == f"{KAIR_ADDRESS}/dncnn_25.pth"
    assert main(["weights", "list"]) == 0
    assert f"kair_dncnn_25: from {entry.address.rpartition('/')[0]}\n{entry.licence}" in capsys.readouterr().out
    monkeypatch.setenv(ADDRESS_VARIABLE, "http://mirror/")
    assert entry.address == "http://mirror/kair_dncnn_25.pth"


# --- memory of whole images ---


@pytest.mark.skipif("sys.platform != 'linux'", reason="measured on Linux only")
def test_memory_of_any_library_is_seen():
    def allocate():
        return np.ones(64 << 20, np.uint8).sum(), torch.ones(32 << 20, dtype=torch.uint8).max()

    assert 60 < growth(allocate, torch.device("cpu")) < 110
    assert growth(lambda: None, torch.device("cpu")) < 5  # the peak before does not count
