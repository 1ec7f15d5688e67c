"""The wheel and the sdist: the same bytes each time, what they contain, and what they require."""

import ast
import email
import itertools
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from conftest import REPOSITORY
from packaging.requirements import Requirement
from test_import import PACKAGE, imported_by

import converse_basicsr
from converse_basicsr.cli.doctor import REQUIRED
from converse_basicsr.extras import EXTRAS, install

NAME = f"converse_basicsr-{converse_basicsr.__version__}"
IMPORTED_AS = {
    "opencv-python": "cv2",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-image": "skimage",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> list[Path]:
    """Two folders with an sdist and a wheel; built with other permissions, in other places and at other times."""
    if not (REPOSITORY / ".git").exists() or shutil.which("git") is None:
        pytest.skip("scripts/build_package.sh takes the files that git tracks; this is no checkout")
    folders = [tmp_path_factory.mktemp("dist") for _ in range(2)]
    for folder, umask in zip(folders, (0o022, 0o077), strict=True):
        places = {"PYTHON": sys.executable, "TMPDIR": str(tmp_path_factory.mktemp("building"))}
        environment = {**os.environ, **places, "SOURCE_DATE_EPOCH": "1700000000"}
        command = ["bash", REPOSITORY / "scripts/build_package.sh", folder]
        result = subprocess.run(command, env=environment, umask=umask, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
    return folders


@pytest.fixture(scope="module")
def wheel(built) -> zipfile.ZipFile:
    with zipfile.ZipFile(built[0] / f"{NAME}-py3-none-any.whl") as file:
        yield file


@pytest.fixture(scope="module")
def requirements(wheel) -> dict[str, set[str]]:
    """The packages that the wheel requires by extra, '' for all users."""
    lines = metadata_of(wheel).get_all("Requires-Dist")
    found = {"": set()}
    for requirement in map(Requirement, lines):
        _, _, extra = str(requirement.marker or "").partition('extra == "')
        found.setdefault(extra.rstrip('"'), set()).add(requirement.name)
    return found


def metadata_of(wheel: zipfile.ZipFile) -> email.message.Message:
    return email.message_from_bytes(wheel.read(f"{NAME}.dist-info/METADATA"))


def tracked(*folders: str) -> set[str]:
    """The files of these folders that git tracks."""
    command = ["git", "ls-files", *folders]
    return set(subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("suffix", [".tar.gz", "-py3-none-any.whl"])
def test_two_builds_are_equal(built, suffix):
    first, second = (folder / f"{NAME}{suffix}" for folder in built)
    assert first.read_bytes() == second.read_bytes()


def test_the_wheel_has_the_package_and_the_option_files_and_nothing_else(wheel):
    expected = tracked("converse_basicsr") | {
        f"converse_basicsr/options/files/{file.removeprefix('options/')}" for file in tracked("options")
    }
    assert {name for name in wheel.namelist() if not name.startswith(f"{NAME}.dist-info/")} == expected
    assert any(name.endswith("report.html") for name in expected)
    assert f"{NAME}.dist-info/licenses/LICENSE" in wheel.namelist()


def test_the_sdist_has_what_builds_the_wheel_and_no_tests(built):
    with tarfile.open(built[0] / f"{NAME}.tar.gz") as file:
        members = file.getmembers()
    names = {member.name.removeprefix(f"{NAME}/") for member in members}
    assert {"setup.py", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "PKG-INFO"} <= names
    assert tracked("converse_basicsr", "options", "integrations", "examples") <= names
    assert not {name for name in names if name.startswith(("tests", "docs", "."))}
    assert {(member.uid, member.gid, member.uname, member.mode) for member in members} == {(0, 0, "", 0o644)}


def test_metadata(wheel):
    metadata = metadata_of(wheel)
    assert metadata["Version"] == converse_basicsr.__version__
    assert metadata["License"] == "Apache-2.0"
    assert "Converse2D inverts a strided depthwise convolution" in metadata.get_payload()
    points = wheel.read(f"{NAME}.dist-info/entry_points.txt").decode()
    assert "basicsr = converse_basicsr.cli:main" in points and "converse-basicsr = " in points


def test_extras(requirements):
    extras = requirements.keys() - {"", "all", "dev"}
    assert extras == {"bm3d", "train", "benchmark", "fft", "mmengine", "onnx", "spandrel"}
    assert requirements["all"] == set().union(*(requirements[extra] for extra in extras - {"bm3d"}))
    assert "basicsr" in requirements["train"] and "torch" in requirements[""]


def test_the_lists_of_doctor_are_those_of_setup(requirements):
    assert {extra: set(packages) for extra, (_, packages) in EXTRAS.items()} == {
        extra: packages for extra, packages in requirements.items() if extra not in ("", "all", "dev")
    }
    assert set(REQUIRED) == requirements[""]


def test_what_is_imported_is_required(requirements):
    """Everything that is not in Python itself, by the package or by one of its extras."""
    files = (ast.walk(ast.parse(file.read_text())) for file in PACKAGE.rglob("*.py"))
    imported = set().union(*map(imported_by, itertools.chain(*files)))
    imported -= {*sys.stdlib_module_names, "torchvision"}  # compat.py imports that for BasicSR, which requires it
    required = set().union(*requirements.values())
    assert imported <= {IMPORTED_AS.get(name, name) for name in required}


def test_restoring_needs_no_extra(requirements, in_tmp):
    """With every package of an extra hidden."""
    from PIL import Image

    Image.new("RGB", (40, 30), "gray").save("a.png")
    names = set().union(*(requirements[extra] for extra in ("all", "dev"))) - requirements[""]
    hidden = {IMPORTED_AS.get(name, name) for name in names} | {"torchvision"}
    calls = (
        "options list",
        "restore a.png -o out --method converse2d --kernel gaussian:1.6",
        "weights list",
        "doctor",
        "train -opt x.yml",
        "data demo",
    )
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({sorted(hidden)})); from converse_basicsr.cli import main; "
        f"print('codes', [main(call.split()) for call in {calls}])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "codes [0, 0, 0, 0, 2, 2]" in result.stdout, result.stdout + result.stderr
    assert Image.open("out/a.png").size == (40, 30)
    assert result.stderr.count("BasicSR is not installed: ") == 2


def test_a_message_names_what_can_be_installed(tmp_path, built):
    assert install("benchmark") == f"pip install -e '{REPOSITORY}[benchmark]'"
    with zipfile.ZipFile(built[0] / f"{NAME}-py3-none-any.whl") as file:
        file.extractall(tmp_path)
    code = "from converse_basicsr.extras import install; print(install('benchmark'))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert result.stdout == "pip install jinja2 'matplotlib>=3.8'\n", result.stderr
