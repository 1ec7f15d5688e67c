"""The networks that the page offers."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError, plain
from ..weights.catalogue import PUBLISHED
from ..weights.locating import find, locate

if TYPE_CHECKING:
    from torch import nn

OPERATOR = "converse2d"  # the id of the method without weights


@dataclass
class Choice:
    """A network of the list.

    Attributes:
        id: as the page names it in its requests.
        label: as the page shows it.
        task: what it does, '' if that is not known.
        path: the file of weights, None if the published file is not here.
        network: once it is loaded.
        words: one line that says which network it is, or why it cannot be used.
    """

    id: str
    label: str
    task: str
    path: Path | None
    network: "nn.Module | None" = None
    words: str = ""

    def load(self) -> None:
        """Build the network and load its weights; UserError if the file is damaged or of no known network."""
        from ..weights.loading import load_described

        self.network, self.words = load_described(self.path)

    def describe(self) -> dict:
        """What the page has to know of it, as JSON."""
        from ..inference.calling import takes_kernel

        known = {"id": self.id, "label": self.label, "task": self.task, "words": self.words}
        if self.network is None:
            return known | {"usable": False}
        return known | {
            "usable": True,
            "channels": self.network.in_channels,
            "scale": self.network.scale,
            "takes_kernel": takes_kernel(self.network),
        }


class Choices:
    """Files of weights given by the user, and the published ones.

    Args:
        given: files or published names. They are loaded at once.

    Raises:
        UserError: one of `given` does not exist or cannot be loaded.
    """

    def __init__(self, given: Sequence[str] = ()):
        self._ready = threading.Event()
        chosen = [_given(number, name) for number, name in enumerate(dict.fromkeys(given))]
        for choice in chosen:
            choice.load()
        names = {choice.id for choice in chosen}
        published = [Choice(name, name, entry.task, find(entry)) for name, entry in PUBLISHED.items()]
        self._all = [*chosen, *(choice for choice in published if choice.id not in names)]

    def load(self) -> None:
        """Load the published ones that are here; one that cannot be loaded is described as such."""
        for choice in self._all:
            if choice.path is None:
                choice.words = f"not here yet; `basicsr weights get {choice.id}` downloads it"
            elif choice.network is None:
                try:
                    choice.load()
                except Exception as error:  # the page goes on with the others
                    choice.words = str(error).partition("\n")[0] or type(error).__name__
        self._ready.set()

    def describe(self) -> list[dict]:
        """All of them as JSON; waits until they are loaded."""
        self._ready.wait()
        return [choice.describe() for choice in self._all]

    def network(self, id: str) -> "nn.Module":
        """The network of this id, for the one thread that restores.

        Raises:
            UserError: there is none, or its weights are not here.
        """
        choice = next((choice for choice in self._all if choice.id == id), None)
        if choice is None:
            raise UserError(f"network: the page has no {plain(id)!r}")
        if choice.network is None:
            raise UserError(f"{choice.label}: {choice.words}")
        return choice.network


def _given(number: int, name: str) -> Choice:
    entry = PUBLISHED.get(name)
    path = locate(name)
    if entry is not None and path.name == entry.file:
        return Choice(name, name, entry.task, path)
    return Choice(f"given-{number}", Path(name).name or path.name, "", path)
