"""Whether torch.compile is tracing."""

import torch


def is_compiling() -> bool:
    """torch.compiler.is_compiling(), which releases before 2.3 lack: never true there, so their graphs break."""
    return getattr(torch.compiler, "is_compiling", bool)()
