"""What is to be done: the output file of every input file, and the ground truth for it."""

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError, plain
from ..files.image_folder import listed
from ..images.formats import FORMATS, Format, format_of
from .inputs import Found, in_folder

PANEL = "_compare.png"  # end of the name of a comparison panel


@dataclass(frozen=True)
class Job:
    """One picture.

    Attributes:
        source: the input file.
        target: the output file.
        format: of the output file.
        key: path within the input folder without suffix; the same picture has it in a folder of ground truth.
    """

    source: Path
    target: Path
    format: Format
    key: Path

    @property
    def panel(self) -> Path:
        """The file of the comparison panel."""
        return self.target.with_name(self.target.stem + PANEL)


def plan(found: list[Found], out: Path, format: Format | None, is_file: bool, with_panels: bool) -> list[Job]:
    """The job of every input file.

    Args:
        found: the input files.
        out: the output folder, or the output file if `is_file`.
        format: of all output files; None: that of each input file, PNG where it cannot be written.
        with_panels: whether comparison panels are written beside the output files.

    Raises:
        UserError: two pictures would be written to one file, or a picture to an input file.
    """
    jobs = []
    for one in found:
        own = format or format_of(out if is_file else one.name) or FORMATS["png"]
        suffix = one.name.suffix if one.name.suffix.lower() in own.suffixes else own.suffixes[0]
        target = out if is_file else out / one.name.with_name(one.name.stem + suffix)
        jobs.append(Job(one.source, target, own, one.name.with_suffix("")))
    _refuse_conflicts(jobs, with_panels)
    return jobs


def take_shard(jobs: list[Job], shard: str | None) -> list[Job]:
    """The jobs of one of several equal runs: '3/16' is the third of 16.

    Raises:
        UserError: it is not K/N with 1 <= K <= N.
    """
    if shard is None:
        return jobs
    number, _, count = shard.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise UserError(f"--shard: must be K/N with K from 1 to N, such as 3/16, got {plain(shard)}")
    return jobs[int(number) - 1 :: int(count)]


def ground_truth(jobs: list[Job], folder: Path) -> dict[Job, Path]:
    """The file of each job's ground truth: the one of the same name, of any suffix, at the same place in the folder.

    Raises:
        UserError: there is no such folder, or a picture has none or several in it.
    """
    if not folder.is_dir():
        raise UserError(f"--gt: no such folder: {plain(folder)}")
    known: dict[Path, list[Path]] = defaultdict(list)
    for one in in_folder(folder, True, None):
        known[one.name.with_suffix("")].append(one.source)
    missing = [plain(job.source) for job in jobs if job.key not in known]
    if missing:
        raise UserError(f"--gt: {plain(folder)} has no ground truth of the same name for {listed(missing)}")
    for job in jobs:
        if len(known[job.key]) > 1:
            files = listed(map(plain, known[job.key]))
            raise UserError(f"--gt: {plain(job.source)} has several: {files}; keep one of them there")
    return {job: known[job.key][0] for job in jobs}


def _refuse_conflicts(jobs: list[Job], with_panels: bool) -> None:
    written: dict[Path, Path] = {}
    for job in jobs:
        for target in (job.target, *([job.panel] if with_panels else [])):
            other = written.setdefault(target, job.source)
            if other != job.source:
                raise UserError(
                    f"{plain(other)} and {plain(job.source)} would both be written to {plain(target)}; restore them "
                    "separately (-o), or rename one"
                )
    sources = {os.path.realpath(job.source) for job in jobs}
    for job in jobs:
        if os.path.realpath(job.target) in sources:
            raise UserError(f"{plain(job.target)} is an input file; give another output folder or file (-o)")
