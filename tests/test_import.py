"""What importing the package brings along, each in a fresh interpreter."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import converse_basicsr

HEAVY = ("basicsr", "mmengine", "torchvision", "cv2", "lmdb")


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(name for name in sys.modules if '.' not in name))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


@pytest.mark.parametrize(
    ("statement", "torch"),
    [
        ("import converse_basicsr", False),
        ("import converse_basicsr.cli", False),
        ("from converse_basicsr import Converse2D, ConverseBlock, converse2d, converse2d_reference", True),
        ("import converse_basicsr.ops, converse_basicsr.layers, converse_basicsr.inference", True),
    ],
)
def test_import_is_clean(statement, torch):
    modules = loaded_after(statement)
    assert not modules & set(HEAVY)
    assert ("torch" in modules) == torch


@pytest.mark.parametrize("module", ["archs", "data", "metrics", "models"])
def test_registering_modules_load_basicsr(module):
    assert {"basicsr", "torchvision"} <= loaded_after(f"import converse_basicsr.{module}")


def test_archs_are_found_by_a_train_script_of_ones_own():
    code = (
        "import converse_basicsr.archs; from basicsr.archs import build_network; "
        "print(type(build_network({'type': 'ConverseSRResNet', 'num_block': 1, 'num_feat': 4})).__name__)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split()[-1] == "ConverseSRResNet"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Convers2D'"):
        converse_basicsr.Convers2D  # noqa: B018


def test_every_export_is_there():
    assert all(getattr(converse_basicsr, name) is not None for name in converse_basicsr.__all__)


def test_what_is_imported_is_required():
    """Everything that is not of Python itself; what only an extra needs stands in setup.py too."""
    package = Path(converse_basicsr.__file__).parent
    setup = ast.walk(ast.parse((package.parent / "setup.py").read_text()))
    required = {re.split("[<>=; ]", str(node.value))[0] for node in setup if isinstance(node, ast.Constant)}
    distributions = {"cv2": "opencv-python", "PIL": "pillow", "skimage": "scikit-image", "yaml": "pyyaml"}
    imported = set()
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                imported.add(node.module.split(".")[0])
    imported -= {*sys.stdlib_module_names, "torchvision"}  # compat.py imports that for BasicSR, which requires it
    assert {distributions.get(name, name) for name in imported} <= required
