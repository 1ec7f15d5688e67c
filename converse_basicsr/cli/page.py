"""``basicsr page``: restoring pictures in the browser, on this computer."""

import argparse

from ..errors import UserError

MAX_UPLOAD = 200  # MB


def add_parsers(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "page",
        help="restore pictures in the browser",
        description="Restore pictures on a page in the browser. Only this computer can open it; Ctrl-C ends it.",
    )
    parser.add_argument("-m", "--model", action="append", default=[], metavar="WEIGHTS", help="also offer this "
                        "file of weights (.pth, .safetensors); may be repeated")  # fmt: skip
    parser.add_argument("--device", metavar="D", help="cpu, cuda, cuda:1 or mps (default: cuda if there is one)")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="port of the address (default: a free one)")
    parser.add_argument("--max-upload", type=int, default=MAX_UPLOAD, metavar="MB", help="largest file that is taken, "
                        "in megabytes (default: %(default)s)")  # fmt: skip
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    if not 0 <= args.port < 65536:
        raise UserError(f"--port: must be from 0 to 65535, got {args.port}")
    if args.max_upload < 1:
        raise UserError(f"--max-upload: must be 1 or more, got {args.max_upload}")
    from ..page.body import MB
    from ..page.choices import Choices
    from ..page.serving import serve
    from .allocator import keep_large_buffers
    from .signals import signals_interrupt

    keep_large_buffers()
    if args.device:
        _check_device(args.device)

    def opened(address: str) -> None:
        print(f"{address}\nonly this computer can open it; Ctrl-C ends it", flush=True)
        if not args.no_browser:
            _open_browser(address)

    try:
        with signals_interrupt():
            serve(Choices(args.model), args.device, args.port, args.max_upload * MB, opened)
    except KeyboardInterrupt:
        print("ended")
    return 0


def _check_device(device: str) -> None:
    from torch import nn

    from ..restoration.devices import choose_device

    choose_device(device, nn.Identity())


def _open_browser(address: str) -> None:
    import webbrowser

    try:
        browser = webbrowser.get()
    except webbrowser.Error:  # there is none
        return
    if type(browser) is not webbrowser.GenericBrowser:  # those run in the terminal
        browser.open(address)
