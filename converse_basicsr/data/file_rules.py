"""Rules for the files of a data set, judged by their headers. Each takes the files and headers in the same order."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import UserError
from ..files.header_scan import Header
from ..files.image_folder import listed
from ..files.image_header import ImageHeader, file_header

_CROP = 0.5  # of the scale: a larger surplus of the ground truth is not cropping, but another scale


def refuse_unusable(files: Sequence[str], headers: Sequence[Header]) -> None:
    """Every file must have a header, and a name that can be printed and saved under."""
    _refuse([ascii(file) for file in files if not _is_utf_8(file)], len(files), "have names that are not UTF-8")
    unusable = [f"{file} ({header})" for file, header in zip(files, headers, strict=True) if isinstance(header, str)]
    _refuse(unusable, len(files), "cannot be read as images")


def _is_utf_8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def refuse_small(files: Sequence[str], headers: Sequence[ImageHeader], least: int, reason: str) -> None:
    """Both sides must have `least` pixels."""
    small = [
        f"{file} ({_size(header)})"
        for file, header in zip(files, headers, strict=True)
        if min(header.height, header.width) < least
    ]
    _refuse(small, len(files), f"are smaller than {reason}")


def refuse_wrong_pairs(
    files: Sequence[str], lq: Sequence[ImageHeader], gt: Sequence[ImageHeader], scale: int, crops: bool
) -> None:
    """The ground truth must be `scale` times as large as its input; if it is cropped, it may be a little larger.

    Args:
        files: the ground truth.
        lq, gt: headers.
        scale: the option file's scale.
        crops: whether the data set crops the ground truth (validation).
    """
    wrong, mixed = [], []
    for file, low, high in zip(files, lq, gt, strict=True):
        sides = ((low.height, high.height), (low.width, high.width))
        if not all(_fits(*pair, scale, crops) for pair in sides):
            wrong.append(f"{file} ({_size(high)}, input {_size(low)})")
        if low.channels != high.channels:
            mixed.append(f"{file} ({high.channels} channels, input {low.channels})")
    _refuse(wrong, len(files), f"are not {scale} times as large as their input (scale: {scale})")
    _refuse(mixed, len(files), "have another number of channels than their input")


def refuse_same_names(files: Iterable[str], truths: Iterable[str] | None = None) -> None:
    """Validation saves its results under the names of the input files without suffix.

    Args:
        files: the input files.
        truths: their ground truth, named in the error instead.
    """
    known: dict[str, str] = {}
    for name, file in zip(files, truths or files, strict=True):
        stem = Path(name).stem
        if stem in known:
            raise UserError(f"{known[stem]} and {file} have the same name ({stem}) in validation; rename or remove one")
        known[stem] = file


def refuse_unpaired(gt_root: str, lq_root: str, template: str | None) -> None:
    """Every ground-truth image of PairedImageDataset needs an input of its name, and the reverse.

    Args:
        gt_root, lq_root: folders, without their subfolders and hidden files; or LMDBs.
        template: BasicSR's filename_tmpl; None for LMDBs.
    """
    if template is None:
        truths = {key: key for key in _keys(gt_root)}
        inputs = set(_keys(lq_root))
    else:
        parts = [(name, *os.path.splitext(name)) for name in _names(gt_root)]
        truths = {f"{template.format(stem)}{suffix}": name for name, stem, suffix in parts}  # by the input's name
        inputs = set(_names(lq_root))
    without_input = sorted(truths[name] for name in truths.keys() - inputs)
    without_truth = sorted(inputs - truths.keys())
    if without_input:
        raise UserError(f"{lq_root} has no input for {listed(without_input)} of {gt_root}")
    if without_truth:
        raise UserError(f"{gt_root} has no ground truth for {listed(without_truth)} of {lq_root}")


def skipped_note(folder: str) -> list[str]:
    """What BasicSR skips silently in a folder: named pipes, devices, links to nothing."""
    skipped = sorted(
        entry.path
        for entry in os.scandir(folder)
        if not entry.name.startswith(".") and not _is_file(entry) and not os.path.isdir(entry.path)
    )
    return [f"skipped: {listed(f'{path} ({file_header(path)})' for path in skipped)}"] if skipped else []


def content_notes(headers: Sequence[ImageHeader], keeps_16_bits: bool) -> list[str]:
    """What is allowed, but easily a mistake: mixtures, and information that is not used."""
    total = len(headers)
    channels, bits = (Counter(getattr(header, name) for header in headers) for name in ("channels", "bits"))
    alpha = sum(header.alpha for header in headers)
    notes = []
    if len(channels) > 1:
        notes.append(f"{channels[1]} of {total} images are gray, {channels[3]} are in colour")
    if len(bits) > 1:
        notes.append(f"{bits[16]} of {total} images have 16 bits per sample, {bits[8]} have 8")
    if bits[16] and not keeps_16_bits:
        notes.append(f"{bits[16]} of {total} images have 16 bits per sample; BasicSR's data sets read only the upper 8")
    if alpha:
        notes.append(f"{alpha} of {total} images have an alpha channel, which is dropped")
    return notes


def crop_note(lq: Sequence[ImageHeader], gt: Sequence[ImageHeader], scale: int) -> list[str]:
    """Ground truth that is cropped by more than the remainder of the division by the scale."""
    cropped = sum(
        high.height - scale * low.height >= scale or high.width - scale * low.width >= scale
        for low, high in zip(lq, gt, strict=True)
    )
    if not cropped:
        return []
    return [f"{cropped} of {len(gt)} ground-truth images are larger than {scale} times their input, and are cropped"]


def _fits(low: int, high: int, scale: int, crops: bool) -> bool:
    return scale * low <= high < (scale + _CROP) * low + scale if crops else high == scale * low


def _refuse(found: list[str], total: int, what: str) -> None:
    if found:
        raise UserError(f"{len(found)} of {total} files {what}: {listed(sorted(found))}")


def _names(folder: str) -> list[str]:
    return [entry.name for entry in os.scandir(folder) if not entry.name.startswith(".") and _is_file(entry)]


def _keys(root: str) -> list[str]:
    """The keys that meta_info.txt lists, as BasicSR reads them."""
    return [line.split(".")[0] for line in Path(root, "meta_info.txt").read_text().splitlines()]


def _is_file(entry: os.DirEntry) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself
        return False


def _size(header: ImageHeader) -> str:
    return f"{header.height}x{header.width}"
