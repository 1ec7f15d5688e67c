"""The documentation builds without a warning, as scripts/docs.sh builds it."""

import os
import subprocess
import sys

import pytest
from conftest import REPOSITORY


@pytest.mark.usefixtures("needs_basicsr")
def test_builds_without_a_warning(tmp_path):
    pytest.importorskip("sphinx", reason="requirements-docs.txt is not installed")
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "--builder", "html",
         REPOSITORY / "docs", tmp_path],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    for signature in ("converse_basicsr.Converse2D", "converse_basicsr.networks.ConverseSRResNet"):
        assert f'id="{signature}"' in "".join(page.read_text() for page in (tmp_path / "api").glob("*.html"))
