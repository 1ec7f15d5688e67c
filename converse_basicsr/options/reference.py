"""A page of Markdown with every section and key of the option files, from their schema.

``python -m converse_basicsr.options.reference > docs/option_reference.md`` writes it.
"""

from collections.abc import Iterator
from types import NoneType
from typing import Annotated, get_args, get_origin

from pydantic.fields import FieldInfo

from ..benchmark.schema import BenchmarkFile, Budget, Model
from .data_sets import DataSet, DataSets
from .kinds import Must
from .real_esrgan import RealESRGAN
from .schema import OptionFile
from .section import Section

HEAD = """# All options

Every section and key of an option file. How a file is read and checked is in [options.md](options.md).
Training needs the sections `train` and `logger`, a test needs `val`.

`~` is YAML's word for no value. "Other keys" are arguments of the class that `type` names: for networks see
[their constructors](api/networks.md), for data sets and degradations [train.md](train.md#data-sets), for metrics
[metrics.md](metrics.md), for BasicSR's own classes its source.

<!-- Written by python -m converse_basicsr.options.reference; change the schema, not this page. -->
"""
REAL_ESRGAN = """RealESRNetModel and RealESRGANModel read these at the top level of the file. Both need `gt_size`
and the keys of the two passes, RealESRNetModel also `gt_usm`, RealESRGANModel the last three."""
BENCHMARK = "A file for `basicsr benchmark`, see [benchmarking.md](benchmarking.md). The recipe has the sections above."
TABLE = "| key | value | default | meaning |\n|---|---|---|---|\n"


def option_reference() -> str:
    """The page."""
    top = {name: field for name, field in OptionFile.model_fields.items() if name not in RealESRGAN.model_fields}
    places: dict[type[Section], list[str]] = {}
    for name, field in top.items():
        _collect(field.annotation, name, places)
    parts = [HEAD, "## The file\n", _table(top)]
    for section, where in places.items():
        level = "#" if ":" not in where[0] else "##"
        parts += [f"#{level} {', '.join(where)}\n", f"{_purpose(section)}\n", _table(section.model_fields, section)]
    parts += ["## RealESRNetModel and RealESRGANModel\n", f"{REAL_ESRGAN}\n", _table(RealESRGAN.model_fields)]
    parts += ["## Benchmark files\n", f"{BENCHMARK}\n", _table(BenchmarkFile.model_fields)]
    for name, section in (("budget", Budget), ("models: NAME", Model)):
        parts += [f"### {name}\n", f"{_purpose(section)}\n", _table(section.model_fields, section)]
    return "\n".join(parts)


def _collect(annotation: object, place: str, places: dict[type[Section], list[str]]) -> None:
    """Add the sections of an annotation, and those below them, with their places in the file."""
    named = ": NAME" if get_origin(_without_none(annotation)) is dict else ""
    for section in _sections(annotation):
        places.setdefault(section, []).append(place + named)
        for name, field in section.model_fields.items():
            _collect(field.annotation, f"{place}{named}: {name}", places)
        if section is DataSets:
            _collect(DataSet, f"{place}: val, val_2, test, ...", places)


def _table(fields: dict[str, FieldInfo], section: type[Section] = Section) -> str:
    rows = [f"| `{name}` | {_kind(field)} | {_default(field)} | {_meaning(field)} |" for name, field in fields.items()]
    if section is DataSets:
        rows.append(f"| `val`, `val_2`, `test`, ... | a section | | {_purpose(DataSet)} |")
    elif section.model_config["extra"] == "allow":
        rows.append("| other keys | | | Arguments of the class. |")
    return TABLE + "\n".join(rows) + "\n"


def _kind(field: FieldInfo) -> str:
    """What the value must be, in the words of the error message."""
    annotation = _without_none(field.annotation)
    words = [item.be for item in field.metadata if isinstance(item, Must)] or list(_words(annotation))
    if get_origin(annotation) is list and not words:
        words = [f"a list of {word}" for word in _words(get_args(annotation)[0])]
    kind = words[0] if words else "a section"
    return _escaped(kind if annotation is field.annotation or "~" in kind else f"{kind}, or `~`")


def _words(annotation: object) -> Iterator[str]:
    """The words of an annotation, without those of items and of sections."""
    if get_origin(annotation) is Annotated:
        yield from (item.be for item in annotation.__metadata__ if isinstance(item, Must))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    if field.default is None:
        return "`~`" if NoneType in get_args(field.annotation) else "not set"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def _meaning(field: FieldInfo) -> str:
    sections = list(_sections(field.annotation))
    return _escaped(field.description or (_purpose(sections[0]) if sections else ""))


def _purpose(section: type[Section]) -> str:
    return " ".join((section.__doc__ or "").split())


def _sections(annotation: object) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for part in get_args(annotation):
        yield from _sections(part)


def _without_none(annotation: object) -> object:
    parts = get_args(annotation)
    return next(part for part in parts if part is not NoneType) if NoneType in parts else annotation


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(option_reference(), end="")
