"""What importing the package brings along, each in a fresh interpreter."""

import ast
import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

import converse_basicsr

PACKAGE = Path(converse_basicsr.__file__).parent
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
        ("import converse_basicsr.networks, converse_basicsr.inference.calling", True),
    ],
)
def test_import_is_clean(statement, torch):
    modules = loaded_after(statement)
    assert not modules & set(HEAVY)
    assert ("torch" in modules) == torch


@pytest.mark.usefixtures("needs_basicsr")
@pytest.mark.parametrize("module", ["models", "training.report", "reproduce.reproduction"])
def test_importing_a_module_that_needs_basicsr_loads_it(module):
    assert {"basicsr", "torchvision"} <= loaded_after(f"import converse_basicsr.{module}")


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_module_that_imports_basicsr_has_it_patched_first(file):
    """By load_basicsr() in the module itself or in its package: each module can be the first that is imported."""
    body = ast.parse(file.read_text()).body
    before = list(itertools.takewhile(lambda node: not {"basicsr", "torchvision"} & imported_by(node), body))
    package = ast.parse((file.parent / "__init__.py").read_text()).body
    assert before == body or any(ast.unparse(node) == "load_basicsr()" for node in before + package)


def imported_by(node: ast.AST) -> set[str]:
    """The packages that an import statement imports from; none of this package itself."""
    if isinstance(node, ast.Import):
        return {alias.name.split(".")[0] for alias in node.names}
    return {node.module.split(".")[0]} if isinstance(node, ast.ImportFrom) and node.level == 0 else set()


@pytest.mark.usefixtures("needs_basicsr")
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


def test_operator_layers_networks_and_weights_pass_their_tests_without_basicsr():
    block = "import sys, pytest; sys.modules['basicsr'] = None; sys.exit(pytest.main(sys.argv[1:]))"
    names = ("converse2d", "layers", "converse_block", "networks", "weights_detection", "weights_conversion")
    files = [REPOSITORY / "tests" / f"test_{name}.py" for name in names]
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", "not grad"]
    result = subprocess.run([sys.executable, "-c", block, *options, *files], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
    assert " passed" in result.stdout and "BasicSR" not in result.stdout
