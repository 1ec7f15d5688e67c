"""The short form of scripts/fuzz_options.py: mutated option files are refused in one line, and execute nothing."""

import subprocess
import sys

from conftest import REPOSITORY


def test_mutated_option_files_give_one_line(needs_basicsr):
    command = [sys.executable, str(REPOSITORY / "scripts/fuzz_options.py"), "--count", "60", "--seed", "3"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    summary = result.stdout.splitlines()[-1]
    assert summary.startswith("60 mutated option files (seed 3): ")
    assert "0 traceback, 0 hang, 0 silent success, 0 false alarm, 0 executed code" in summary
