"""A folder in the Hugging Face layout: model.safetensors, config.json and a model card."""

import json
import os
from pathlib import Path

from ..errors import UserError, plain
from ..files.atomic import write_text
from ..files.safetensors_file import save_safetensors
from .building import Built
from .card import model_card
from .catalogue import PUBLISHED, sha256_of
from .loading import build
from .locating import HUB_FILE, locate
from .reading import read_weights

CONFIG, CARD = "config.json", "README.md"


def export_hub(
    weights: str | os.PathLike,
    folder: str | os.PathLike,
    opt: str | os.PathLike | dict | None = None,
    repo_id: str | None = None,
    licence: str | None = None,
    overwrite: bool = False,
) -> list[str]:
    """Write a folder that can be uploaded as a model repository, and that `load_network` reads.

    Args:
        weights: a file or name, as for `load_network`, of a network of this package.
        folder: made if it does not exist.
        opt: an option file, or a section network_g, for a file that does not carry its options.
        repo_id: USER/NAME, for the model card.
        licence: the identifier of a licence, for the model card; None: it says that none is stated. Not for published
            weights, whose licence is not for others to choose.
        overwrite: replace these files in an existing folder.

    Returns:
        Lines that say what was written.

    Raises:
        UserError: a file cannot be read or written, or the weights are those of another package's network.
    """
    folder, source = Path(folder), locate(weights)
    there = [name for name in (HUB_FILE, CONFIG, CARD) if (folder / name).exists()]
    if there and not overwrite:
        raise UserError(f"{plain(folder)} has {', '.join(there)}; --overwrite replaces them")
    built = build(read_weights(source), opt)
    if built.options is None:
        raise UserError(f"{plain(source)}: only networks of this package can be exported, this is {built.words}")
    sha256 = sha256_of(source)
    published = next((entry for entry in PUBLISHED.values() if entry.sha256 == sha256), None)
    if published and licence not in (None, published.licence_id):
        raise UserError(f"--license: leave it out for published weights, got {plain(licence)}. {published.licence}")
    made_from = {"file": source.name, "sha256": sha256, "published": published}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_safetensors(built.state_dict, built.options, folder / HUB_FILE)
        write_text(folder / CONFIG, json.dumps(_config(built), indent=2) + "\n")
        write_text(folder / CARD, model_card(built, folder.resolve().name, repo_id, made_from, licence))
    except OSError as error:
        raise UserError(f"cannot write {plain(folder)}: {error.strerror or error}") from error
    lines = [f"wrote {plain(folder)}: {HUB_FILE}, {CONFIG}, {CARD}", built.words]
    return [*lines, published.licence] if published else lines


def _config(built: Built) -> dict:
    return {
        "library_name": "converse_basicsr",
        **built.options,
        "in_channels": built.network.in_channels,
        "scale": built.network.scale,
    }
