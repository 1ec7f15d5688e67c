"""examples/: each script runs, and prints what its page says."""

import runpy

import pytest
import torch
from conftest import REPOSITORY

EXAMPLES = {
    "unet": ("monai", ["replaced: 4", "not replaced: 0", "step 2: loss"]),
    "gan": (None, ["replaced: 2", "discriminator"]),
    "yolo": ("ultralytics", ["replaced: 2", "largest relative change", "{10: 'Converse2D', 13: 'Converse2D'}"]),
}


def test_every_example_is_run():
    elsewhere = ["mmengine_training"]  # test_mmengine.py
    files = (REPOSITORY / "examples").glob("*.py")
    assert sorted(file.stem for file in files) == sorted([*EXAMPLES, *elsewhere])


@pytest.mark.filterwarnings("ignore")  # of the other packages
@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name, capsys, monkeypatch, tmp_path):
    package, expected = EXAMPLES[name]
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    if package is not None:
        pytest.importorskip(package, reason=f"the example needs {package}")
    with torch.random.fork_rng():
        runpy.run_path(str(REPOSITORY / "examples" / f"{name}.py"), run_name="__main__")
    output = capsys.readouterr().out
    assert all(line in output for line in expected), output
