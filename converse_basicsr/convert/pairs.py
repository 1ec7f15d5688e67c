"""Which convolutions an nn.PixelShuffle follows, and the swap of both."""

from dataclasses import dataclass, field

from torch import nn

from .building import carry_attributes
from .comparing import difference
from .example import Seen
from .pixel_shuffle import replace_pixel_shuffle
from .report import Kept, Replaced, Report
from .unsuitable import Unsuitable


@dataclass
class Group:
    """Convolutions, each with its names, whose results go to one nn.PixelShuffle and nowhere else; its names there."""

    convolutions: dict[nn.Conv2d, list[str]]
    shuffle_names: list[str]


@dataclass
class Pairs:
    """The groups of a shuffle, or the reason why there are none."""

    groups: list[Group] = field(default_factory=list)
    reason: str = ""


def find_pairs(model: nn.Module, shuffle: nn.PixelShuffle, names: list[str], seen: Seen | None) -> Pairs:
    """By neighbours in an nn.Sequential if all places of the shuffle are there, else by what the example showed.

    What the example showed must agree in both cases.
    """
    neighbours = [_before(model, name) for name in names]
    pairs = _by_neighbours(model, neighbours, names) if all(neighbours) else _by_example(model, shuffle, names, seen)
    if seen is not None and pairs.groups:
        convolutions = {conv for group in pairs.groups for conv in group.convolutions}
        if not convolutions.issuperset(seen.sources.get(shuffle, [])):
            return Pairs(reason="its input is not the result of an nn.Conv2d alone")
        if convolutions & seen.taken:
            return Pairs(reason="the result of its convolution is used elsewhere too")
    return pairs


def _by_example(model: nn.Module, shuffle: nn.PixelShuffle, names: list[str], seen: Seen | None) -> Pairs:
    if seen is None:
        return Pairs(reason="which convolution it follows is not known: give `example`, an input of the model")
    sources = seen.sources.get(shuffle, [])
    if not sources:
        return Pairs(reason="the example does not reach it")
    if not all(sources):
        return Pairs(reason="its input is not the result of an nn.Conv2d alone")
    if any(len(seen.calls[conv]) != sources.count(conv) for conv in sources):
        return Pairs(reason="its convolution is used elsewhere too")
    convolutions = {conv: _names(model, conv) for conv in dict.fromkeys(sources)}
    return Pairs([Group(convolutions, names)])


def replace_pairs(
    shuffle: nn.PixelShuffle,
    names: list[str],
    pairs: Pairs,
    chosen: set[nn.Module],
    kernel_size: int | None,
    report: Report,
) -> None:
    """Add new layers for the chosen pairs to the report; a pair is chosen by its shuffle or its convolution."""
    for group in pairs.groups:
        selected = [conv for conv in group.convolutions if conv in chosen or shuffle in chosen]
        if not selected:
            continue
        shuffle_name = ", ".join(group.shuffle_names)
        try:
            if len(selected) < len(group.convolutions):
                raise Unsuitable("it serves convolutions that `match` leaves out")
            stages = {conv: replace_pixel_shuffle(conv, shuffle, kernel_size) for conv in selected}
        except Unsuitable as reason:
            report.kept.append(Kept(shuffle_name, str(reason)))
            continue
        places = tuple((name, shuffle, _identity(shuffle)) for name in group.shuffle_names)
        for conv, new in stages.items():
            before = nn.Sequential(conv, shuffle)
            places += tuple((name, conv, new.layer) for name in group.convolutions[conv])
            error = difference(before, new.layer, conv.in_channels)
            name = f"{', '.join(group.convolutions[conv])} + {shuffle_name}"
            report.replaced.append(Replaced(name, before, *new, places, error))
            places = ()
    if not pairs.groups and shuffle in chosen:
        report.kept.append(Kept(", ".join(names), pairs.reason))


def _by_neighbours(model: nn.Module, neighbours: list[str], names: list[str]) -> Pairs:
    groups: dict[nn.Module, Group] = {}
    for conv_name, name in zip(neighbours, names, strict=True):
        conv = model.get_submodule(conv_name)
        group = groups.setdefault(conv, Group({conv: _names(model, conv)}, []))
        group.shuffle_names.append(name)
    if any(len(group.shuffle_names) != len(group.convolutions[conv]) for conv, group in groups.items()):
        return Pairs(reason="its convolution is used elsewhere too")
    return Pairs(list(groups.values()))


def _before(model: nn.Module, name: str) -> str | None:
    """The name of the convolution that precedes the layer in an nn.Sequential."""
    parent_name, _, child = name.rpartition(".")
    parent = model.get_submodule(parent_name)
    if type(parent).forward is not nn.Sequential.forward or name == "":
        return None
    names = [key for key, _ in parent.named_modules(remove_duplicate=False) if key and "." not in key]
    position = names.index(child)
    if position == 0 or not isinstance(parent.get_submodule(names[position - 1]), nn.Conv2d):
        return None
    return f"{parent_name}.{names[position - 1]}".lstrip(".")


def _names(model: nn.Module, layer: nn.Module) -> list[str]:
    return [name for name, module in model.named_modules(remove_duplicate=False) if module is layer]


def _identity(shuffle: nn.PixelShuffle) -> nn.Identity:
    identity = nn.Identity()
    carry_attributes(shuffle, identity, nn.PixelShuffle(1))
    return identity
