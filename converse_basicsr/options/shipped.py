"""The option files that are shipped: in the checkout's folder options, or in the installed package."""

import re
import shutil
from pathlib import Path

from ..errors import UserError, did_you_mean, plain
from .reading import read_mapping

_INSTALLED = Path(__file__).with_name("files")
_CHECKOUT = Path(__file__).parents[2] / "options"


def folder() -> Path:
    """The folder of the shipped option files.

    Raises:
        UserError: it is missing: the package was not installed as its setup.py says.
    """
    for candidate in (_INSTALLED, _CHECKOUT):
        if candidate.is_dir():
            return candidate
    raise UserError(f"the shipped option files are missing ({_INSTALLED}); install the package again")


def names() -> list[str]:
    """The names of the shipped option files, as 'converse_srresnet' or 'benchmark/smoke'."""
    files = sorted(folder().rglob("*.yml"), key=lambda file: (len(file.parts), file))
    return [file.relative_to(folder()).with_suffix("").as_posix() for file in files]


def path_of(name: str) -> Path:
    """The shipped file of this name, which may end in .yml.

    Raises:
        UserError: there is none; suggests the nearest name.
    """
    stem = name.removesuffix(".yml")
    if stem not in names():
        raise UserError(f"no option file named {plain(name)}{did_you_mean(stem, names())} (see basicsr options list)")
    return folder() / f"{stem}.yml"


def summary_of(name: str) -> str:
    """The beginning of a file's comment, below the line for editors."""
    line = path_of(name).read_text(encoding="utf-8").splitlines()[1]
    return re.split(r"[.;:] |\.$", line.removeprefix("# "))[0]


def copy(name: str, to: Path, force: bool = False) -> list[Path]:
    """Copy a shipped option file, or 'all', and what it refers to: the schema for editors, the recipe of a benchmark.

    Args:
        name: as in names(), or 'all'.
        to: the folder that takes the place of options.
        force: replace existing files.

    Returns:
        The files written, the schemas among them.

    Raises:
        UserError: there is no such file, a file exists (then nothing is copied), or the folder cannot be written.
    """
    files = dict.fromkeys(file for one in (names() if name == "all" else [name]) for file in _needed(path_of(one)))
    targets = {file: to / file.relative_to(folder()) for file in files}
    for file, target in list(targets.items()):
        if target.exists() and not force:
            if file.suffix != ".json" or target.read_bytes() != file.read_bytes():
                raise UserError(f"{plain(target)} already exists; --force replaces it")
            del targets[file]
    try:
        for file, target in targets.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    except OSError as error:
        raise UserError(f"cannot write {plain(target)}: {error.strerror}") from error
    return list(targets.values())


def _needed(file: Path) -> list[Path]:
    """The file, its schema and the file that its recipe names."""
    first, _, schema = file.read_text(encoding="utf-8").splitlines()[0].partition("$schema=")
    needed = [file, (file.parent / schema).resolve()] if schema and first.startswith("#") else [file]
    recipe = read_mapping(str(file)).get("recipe")
    return needed + ([file.with_name(recipe)] if isinstance(recipe, str) else [])
