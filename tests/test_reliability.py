"""Short forms of the scripts that measure reliability; docs/reliability.md has the results of the long ones."""

import subprocess
import sys

import pytest
from conftest import REPOSITORY


@pytest.mark.usefixtures("needs_basicsr")
@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        (
            "kill_training.py --count 3",
            "3 kills (1 while it starts, 1 while it trains, 1 inside a save), 180 iterations",
        ),
        ("long_training.py --iterations 400", "400 iterations: median memory "),
    ],
)
def test_short_form(arguments, result, tmp_path):
    script, *rest = arguments.split()
    command = [sys.executable, str(REPOSITORY / "scripts" / script), *rest]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path)
    assert done.returncode == 0 and result in done.stdout, done.stdout
