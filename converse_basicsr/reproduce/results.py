"""What was measured: kept on disk after every image, and shown as a table."""

import json
from pathlib import Path

import numpy as np

from ..files.atomic import write_text
from .protocols import SETS, Protocol


class Results:
    """Metrics by protocol and image, and the digest of its file, in a JSON file that is whole at any time.

    Args:
        path: the file; made with the first image.
    """

    def __init__(self, path: Path):
        self.path = path
        self._content: dict[str, dict] = json.loads(path.read_text()) if path.is_file() else {}

    def of(self, protocol: Protocol, settings: dict, digests: dict[str, str]) -> dict[str, dict]:
        """Metrics by image, as far as they were measured with the same settings and file; others are dropped.

        Args:
            digests: of the files, by image; images that are not among them are kept.
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


def table(rows: list[tuple[Protocol, dict[str, dict[str, float]], int]]) -> str:
    """Markdown: a line for each protocol, measured beside published.

    Args:
        rows: protocol, metrics by image of those measured, and how many images its set has.
    """
    lines = ["| task | network | set | psf | images | PSNR | paper | difference | SSIM |", "|---" * 9 + "|"]
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
    """Markdown: a line for each image of one protocol."""
    lines = [f"### {protocol.name}", "", "| image | PSNR | SSIM |", "|---|---|---|"]
    lines += [f"| {name} | {metrics['psnr']:.4f} | {metrics['ssim']:.4f} |" for name, metrics in images.items()]
    return "\n".join(lines)
