"""``basicsr weights``: the published weights, and files of weights."""

import argparse
from pathlib import Path


def add_parsers(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "weights",
        help="download the published weights; inspect, convert and export files of weights",
        description="Download the published weights; inspect, convert and export files of weights.",
    )
    kinds = parser.groups("KIND")
    _add_published(kinds)
    show = kinds.add_parser(
        "show", help="show which network a file is for", description="Say which network a file is for."
    )
    _add_weights(show, "WEIGHTS")
    show.set_defaults(command=run_show)
    convert = kinds.add_parser(
        "convert",
        help="convert between .pth and .safetensors",
        description="Write a file of weights as .pth or .safetensors, with its network's options.",
    )
    _add_weights(convert, "IN")
    convert.add_argument("out", metavar="OUT", help="a name that ends in .pth or .safetensors")
    convert.add_argument(
        "--for-spandrel", action="store_true", help="also store the options as a tensor, for ComfyUI and chaiNNer"
    )
    convert.add_argument("--overwrite", action="store_true", help="replace OUT")
    convert.set_defaults(command=run_convert)
    hub = kinds.add_parser(
        "export-hub",
        help="write a folder in the Hugging Face layout",
        description="Write model.safetensors, config.json and a model card (README.md) into a folder.",
    )
    _add_weights(hub, "IN")
    hub.add_argument("folder", metavar="FOLDER")
    hub.add_argument("--repo-id", metavar="USER/NAME", help="name of the repository, for the model card")
    hub.add_argument("--license", metavar="ID", help="licence of the weights, for the model card (default: none)")
    hub.add_argument("--overwrite", action="store_true", help="replace these files in FOLDER")
    hub.set_defaults(command=run_export_hub)


def _add_published(kinds: argparse._SubParsersAction) -> None:
    published = kinds.add_parser("list", help="the published weights", description="List the published weights.")
    published.set_defaults(command=run_list)
    get = kinds.add_parser(
        "get",
        help="download published weights",
        description="Download published weights that are not here yet. An interrupted download is continued.",
    )
    get.add_argument("names", nargs="+", metavar="NAME", help="see basicsr weights list")
    get.add_argument("--overwrite", action="store_true", help="replace another file of that name")
    get.set_defaults(command=run_get, on_interrupt="; the same command continues")
    path = kinds.add_parser("path", help="where published weights are", description="Print the path of a download.")
    path.add_argument("name", metavar="NAME", help="see basicsr weights list")
    path.set_defaults(command=run_path)
    for parser in (get, path):
        parser.add_argument(
            "--dir", metavar="DIR", help="folder, as experiments/pretrained_models (default: the user's cache folder)"
        )


def _add_weights(parser: argparse.ArgumentParser, metavar: str) -> None:
    parser.add_argument("weights", metavar=metavar, help="a file (.pth, .safetensors), a folder with "
                        "model.safetensors, or a published name")  # fmt: skip
    parser.add_argument("--opt", metavar="FILE", help="option file whose network_g names the network, for a file that "
                        "does not carry its options")  # fmt: skip


def run_list(args: argparse.Namespace) -> int:
    from ..weights.catalogue import PUBLISHED
    from ..weights.locating import find

    for name, entry in PUBLISHED.items():
        where = find(entry) or "not here yet"
        print(f"{name:<18} {entry.network:<17} {entry.task:<40} {entry.size / 2**20:.1f} MiB  {where}")
    sources: dict[tuple[str, str], list[str]] = {}
    for name, entry in PUBLISHED.items():
        sources.setdefault((entry.address.rpartition("/")[0], entry.licence), []).append(name)
    for (address, licence), names in sources.items():
        print(f"{', '.join(names)}: from {address}\n{licence}")
    return 0


def run_get(args: argparse.Namespace) -> int:
    from ..weights.catalogue import cache_folder, published
    from ..weights.download import download

    folder = Path(args.dir) if args.dir else cache_folder()
    for entry in [published(name) for name in args.names]:
        print(download(entry, folder, overwrite=args.overwrite))
    return 0


def run_path(args: argparse.Namespace) -> int:
    from ..errors import UserError
    from ..weights.catalogue import cache_folder, published
    from ..weights.locating import find

    entry = published(args.name)
    path = Path(args.dir) / entry.file if args.dir else find(entry) or cache_folder() / entry.file
    if not path.is_file():
        option = f" --dir {args.dir}" if args.dir else ""
        raise UserError(f"{path} is not here yet; `basicsr weights get {entry.name}{option}` downloads it")
    print(path)
    return 0


def run_show(args: argparse.Namespace) -> int:
    from ..weights.loading import load_described

    network, words = load_described(args.weights, args.opt)
    print(words)
    print(f"{sum(parameter.numel() for parameter in network.parameters()):,} parameters")
    return 0


def run_convert(args: argparse.Namespace) -> int:
    from ..weights.conversion import convert

    print(*convert(args.weights, args.out, args.opt, args.for_spandrel, args.overwrite), sep="\n")
    return 0


def run_export_hub(args: argparse.Namespace) -> int:
    from ..weights.hub import export_hub

    print(*export_hub(args.weights, args.folder, args.opt, args.repo_id, args.license, args.overwrite), sep="\n")
    return 0
