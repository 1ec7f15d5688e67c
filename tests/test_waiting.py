"""The spinning of libgomp's threads: set by the command before torch loads, never over the user's choice."""

import os
import subprocess
import sys

import pytest

SHOW = "import os; print(os.environ.get('GOMP_SPINCOUNT'), os.environ.get('OMP_WAIT_POLICY'))"


def run(code: str, **variables: str) -> str:
    clean = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env={**clean, **variables}, capture_output=True, text=True, check=True
    ).stdout.splitlines()[-1]


def test_the_command_shortens_the_spinning():
    code = f"from converse_basicsr.cli import main; main(['options', 'list']); {SHOW}"
    assert run(code) == "4000 None"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({"GOMP_SPINCOUNT": "7"}, "7 None"), ({"OMP_WAIT_POLICY": "active"}, "None active")],
    ids=str,
)
def test_the_environment_comes_first(variables, expected):
    code = f"from converse_basicsr.cli import main; main(['options', 'list']); {SHOW}"
    assert run(code, **variables) == expected


@pytest.mark.parametrize(
    "code", ["import converse_basicsr.networks", "import torch\nfrom converse_basicsr.cli import main"]
)
def test_the_library_changes_nothing(code):
    assert run(f"{code}\n{SHOW}") == "None None"
