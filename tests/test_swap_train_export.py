"""The example of docs/own_networks.md: a published U-Net is swapped, trained for a step, exported and run."""

import pytest
import torch
from conftest import REPOSITORY
from markdown_blocks import blocks_of

from converse_basicsr import Converse2D

PAGE = REPOSITORY / "docs/own_networks.md"
MOST_LINES = 12  # four of them are imports


@pytest.mark.filterwarnings("ignore")  # of torch's exporter
def test_the_example_as_the_page_shows_it(in_tmp):
    for package in ("monai", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason=f"the example needs {package}")
    [block] = [block for block in blocks_of(PAGE) if "packages" in block.needs]
    assert len([line for line in block.text.splitlines() if line]) <= MOST_LINES
    names: dict = {}
    torch.manual_seed(0)
    exec(compile(block.text, block.place, "exec"), names)
    model, x = names["model"], names["x"]
    assert sum(isinstance(module, Converse2D) for module in model.modules()) == 4
    trained = [parameter for parameter in model.parameters() if parameter.grad is not None]
    assert len(trained) == len(list(model.parameters())) and names["optimiser"].state
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(names["y"]), model(x), rtol=0, atol=1e-4)
