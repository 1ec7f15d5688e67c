"""The published weights: names, addresses and checksums. Nothing here needs torch."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from ..errors import UserError, did_you_mean, plain

COMMIT = "368aa39cebaa075b04926264c7494d969e8ee835"
ADDRESS = f"https://raw.githubusercontent.com/cszn/ConverseNet/{COMMIT}/model_zoo"
KAIR_COMMIT = "f9888a094a01fd2fdb47155d6f60ab498484beff"
KAIR_ADDRESS = f"https://raw.githubusercontent.com/cszn/KAIR/{KAIR_COMMIT}/model_zoo"
ADDRESS_VARIABLE = "CONVERSE_WEIGHTS_URL"  # environment variable: the address of a folder with copies of the files
LICENCE = "The authors state no licence for these weights: they may be downloaded, but not shipped or uploaded again."
MIT = "Licence of these weights: MIT (github.com/cszn/KAIR)."


@dataclass(frozen=True)
class Published:
    """A published file.

    Attributes:
        name: its name here; its file in a folder of the user, or of copies, is NAME.pth.
        size: bytes.
        sha256: checksum.
        network: type of its network.
        task: what that does.
        licence: what is known of it, in a sentence.
        licence_id: the same for a model card.
        original: the address of the file, if it is not ADDRESS/NAME.pth.
    """

    name: str
    size: int
    sha256: str
    network: str
    task: str
    licence: str = LICENCE
    licence_id: str = "unknown"
    original: str | None = None

    @property
    def file(self) -> str:
        return f"{self.name}.pth"

    @property
    def address(self) -> str:
        copies = os.environ.get(ADDRESS_VARIABLE)
        if self.original and not copies:
            return self.original
        return f"{(copies or ADDRESS).rstrip('/')}/{self.file}"

    def is_at(self, path: Path) -> bool:
        """Whether this file exists, with the published size and checksum."""
        return path.is_file() and path.stat().st_size == self.size and sha256_of(path) == self.sha256


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


PUBLISHED = {
    entry.name: entry
    for entry in (
        Published(
            "converse_dncnn",
            3281914,
            "3b86c7f6e41a014448f923bc331232e1f45e2eae350dd7f9e18440803d283e89",
            "ConverseDnCNN",
            "denoising of grayscale images, sigma 25",
        ),
        Published(
            "converse_srresnet",
            2889893,
            "ed75a697f1ebb9f9ad6a53b7875bb76098f23b48d87bf6f0b0dd8cde6df81d2f",
            "ConverseSRResNet",
            "super-resolution x4",
        ),
        Published(
            "converse_usrnet",
            1276538,
            "729529b8bc8cbda152d6b60734b01032b49c20fcb8b6da2fb33141d9c3378d82",
            "ConverseUSRNet",
            "deblurring with a known kernel",
        ),
        Published(
            "conversenet",
            1007994,
            "603cbb29075178410db9ab6166b247d2ddff32f349c59a7e1763c46feca270bd",
            "ConverseNet",
            "blind deblurring",
        ),
        Published(
            "kair_dncnn_25",
            2224903,
            "0451a70de9b672ae037270498fbb1c17a1c1c4403785df586ff65df5b858e5b0",
            "DnCNN",
            "denoising of grayscale images, sigma 25",
            MIT,
            "mit",
            f"{KAIR_ADDRESS}/dncnn_25.pth",
        ),
    )
}


def published(name: str) -> Published:
    """The published file of this name.

    Raises:
        UserError: there is none.
    """
    if name not in PUBLISHED:
        raise UserError(f"no published weights {plain(name)!r}{did_you_mean(name, PUBLISHED)} ({', '.join(PUBLISHED)})")
    return PUBLISHED[name]


def cache_folder() -> Path:
    """The folder for downloaded weights, in the user's cache folder."""
    return user_cache_path("converse_basicsr") / "weights"
