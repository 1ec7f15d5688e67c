"""Results of the reproduction: saved after every image, and formatted as tables."""

import json
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..files.atomic import write_text
from .protocols import SETS, Protocol


class Results:
    """Metrics and file digest by protocol and image, in a JSON file that is written atomically.

    Args:
        path: the JSON file; created with the first image.

    Raises:
        UserError: the file is not what this class writes.
    """

    def __init__(self, path: Path):
        self.path = path
        self._content: dict[str, dict] = _read(path) if path.is_file() else {}

    def of(self, protocol: Protocol, settings: dict, digests: dict[str, str]) -> dict[str, dict]:
        """Metrics by image, measured with the same settings and file; all others are dropped.

        Args:
            protocol: the protocol.
            settings: what the metrics depend on besides the image.
            digests: digest of the file by image; images that are not listed here are kept.
        """
        kept = self._content.get(protocol.name, {})
        if kept.get("settings") != settings:
            self._content[protocol.name] = kept = {"settings": settings, "images": {}}
        images = kept["images"]
        for name, digest in digests.items():
            if images.get(name, {}).get("sha256") != digest:
                images.pop(name, None)
        return images

    def save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(self.path, json.dumps(self._content, indent=1))


def _read(path: Path) -> dict[str, dict]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}; --force measures again") from error
    if not isinstance(content, dict) or not all(isinstance(part, dict) for part in content.values()):
        raise UserError(f"{path} does not hold results of basicsr reproduce; --force measures again")
    return content


def table(rows: list[tuple[Protocol, dict[str, dict[str, float]], int]]) -> str:
    """A Markdown table with measured and published values, one line per protocol.

    Args:
        rows: (protocol, metrics by measured image, number of images in the set).
    """
    lines = ["| task | network | set | kernel | images | PSNR | paper | difference | SSIM |", "|---" * 9 + "|"]
    for protocol, images, count in rows:
        psnr, ssim = (float(np.mean([metrics[name] for metrics in images.values()])) for name in ("psnr", "ssim"))
        whole = len(images) == count
        published = f"{protocol.published:.2f}" if protocol.published is not None else "-"
        compared = protocol.published is not None and whole
        difference = f"{round(psnr - protocol.published, 2) + 0.0:+.2f}" if compared else "-"  # + 0.0: no -0.00
        number = str(count) if whole else f"{len(images)} of {count}"
        cells = [protocol.task, protocol.network, SETS[protocol.test_set][0], str(protocol.psf or "-"), number]
        lines.append(f"| {' | '.join([*cells, f'{psnr:.4f}', published, difference, f'{ssim:.4f}'])} |")
    return "\n".join(lines)


def image_table(protocol: Protocol, images: dict[str, dict[str, float]]) -> str:
    """A Markdown table with one line per image of a protocol."""
    lines = [f"### {protocol.name}", "", "| image | PSNR | SSIM |", "|---|---|---|"]
    lines += [f"| {name} | {metrics['psnr']:.4f} | {metrics['ssim']:.4f} |" for name, metrics in images.items()]
    return "\n".join(lines)
