"""Converting files of weights between .pth and .safetensors, with the network's options."""

import os
from pathlib import Path

from ..errors import UserError, plain
from ..files.checkpoint import save_file
from ..files.safetensors_file import SUFFIX, is_safetensors, save_safetensors
from .building import build_ours, is_ours
from .loading import options_for
from .locating import locate
from .reading import read_weights

PTH = ".pth"


def convert(
    weights: str | os.PathLike,
    out: str | os.PathLike,
    opt: str | os.PathLike | dict | None = None,
    for_spandrel: bool = False,
    overwrite: bool = False,
) -> list[str]:
    """Write one state dict of a file as .pth or .safetensors, with the network's type and options.

    Of several state dicts params_ema is taken. The names of KAIR's DnCNN become ours. A file of another network keeps
    its tensors, and the options that it carries.

    Args:
        weights: a file or name, as for `load_network`.
        out: the new file; its suffix decides the format.
        opt: an option file, or a section network_g, for a file that does not carry its options.
        for_spandrel: also store the options as a tensor, since spandrel's loader sees nothing else of a .safetensors.
        overwrite: replace an existing file.

    Returns:
        Lines that say what was written.

    Raises:
        UserError: a file cannot be read or written, or the options do not fit.
    """
    out = Path(out)
    if out.suffix.lower() not in (SUFFIX, PTH):
        raise UserError(f"{plain(out)}: the name must end in {SUFFIX} or {PTH}")
    if out.exists() and not overwrite:
        raise UserError(f"{plain(out)} exists; --overwrite replaces it")
    found = read_weights(locate(weights))
    given, _, source = options_for(found, opt)
    built = build_ours(found, given, source) if given is None or is_ours(given) else None
    if for_spandrel and (built is None or not is_safetensors(out)):
        raise UserError(f"--for-spandrel: it is for {SUFFIX} files of the networks of this package")
    state_dict, options = (found.state_dict, given) if built is None else (built.state_dict, built.options)
    if is_safetensors(out):
        save_safetensors(state_dict, options, out, for_spandrel)
    else:
        save_file({"params": dict(state_dict)} | ({"network_options": options} if options else {}), out)
    lines = [f"wrote {plain(out)}: {len(state_dict)} tensors from {found.words}"]
    if built is not None:
        lines.append(built.words)
        if built.hidden and not for_spandrel:
            hidden = ", ".join(f"{name} {options[name]!r}" for name in built.hidden)
            lines.append(f"spandrel (ComfyUI, chaiNNer) cannot see {hidden} in this file; with --for-spandrel it can")
    elif options is None:
        lines.append("without options: its keys are those of no network of this package")
    return lines
