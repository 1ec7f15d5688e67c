"""YAML nodes to plain values, and the mistakes that YAML accepts silently."""

import re
from dataclasses import dataclass

import yaml
from yaml.constructor import SafeConstructor

from ..errors import UserError, plain, shown

MOST_VALUES = 10_000  # of an option file, aliases expanded; the files here have less than 300
DEEPEST = 30  # levels
_TAG = "tag:yaml.org,2002:"
_SCALARS = ("str", "int", "float", "bool", "null")
_A = {"int": "an integer", "float": "a number", "bool": "true or false", "null": "~"}
_LONGEST_NUMBER = 100  # digits

# YAML 1.1 reads these as strings: no dot before the exponent, or no sign in the exponent
TEXT_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")
# YAML 1.1 reads 010 as 8 and 1:30 as 90
_SURPRISING_NUMBER = re.compile(r"[-+]?(0[0-7_]+|[\d_]+(:[\d_.]+)+)")


@dataclass
class PlainValues:
    """Dicts, lists, strings, numbers, booleans and None from composed nodes; aliases and merge keys are expanded.

    Args:
        name: of the file, for messages.
        lenient: read plain 1e-4 as a number, and none as None, as BasicSR's --force_yml does.
    """

    name: str
    lenient: bool = False
    count: int = 0  # values made so far

    def of(self, node: yaml.Node, place: tuple[str, ...] = ()) -> object:
        """The value of a node.

        Raises:
            UserError: names the line.
        """
        self.count += 1
        if self.count > MOST_VALUES:
            raise UserError(f"{self.name}: more than {MOST_VALUES} values, which no option file has (aliases expanded)")
        if len(place) > DEEPEST:
            raise self._error(node, f"nested more than {DEEPEST} levels deep, or an alias that contains itself")
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.of(item, (*place, str(index))) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, place)
        raise self._not_allowed(node, place)

    def _mapping(self, node: yaml.MappingNode, place: tuple[str, ...]) -> dict:
        own, merged, seen = {}, {}, set()
        for key, value in node.value:
            name = self._key(key)
            if name in seen:
                raise self._error(key, f"{':'.join((*place, plain(name)))} is given twice")
            seen.add(name)
            if key.tag == f"{_TAG}merge":
                merged = self._merged(value, place)
            else:
                own[name] = self.of(value, (*place, name))
        return {**merged, **own}

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self._error(node, "a key must be a string")
        if node.tag not in (f"{_TAG}str", f"{_TAG}merge"):
            raise self._error(node, f"YAML does not read the key {plain(node.value)} as a string; put it in quotes")
        return node.value

    def _merged(self, node: yaml.Node, place: tuple[str, ...]) -> dict:
        """The mapping that ``<<`` names, or the mappings of a list, the first of which wins."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if not all(isinstance(source, yaml.MappingNode) for source in sources):
            raise self._error(node, f"{_at(place)}<< must name a mapping, or a list of mappings")
        merged = {}
        for source in reversed(sources):
            merged.update(self.of(source, (*place, "<<")))
        return merged

    def _scalar(self, node: yaml.ScalarNode, place: tuple[str, ...]) -> object:
        kind, text, is_plain = node.tag.removeprefix(_TAG), node.value, node.style is None
        if kind == "timestamp" and is_plain:
            raise self._error(node, f"{_at(place)}YAML reads {plain(text)} as a {kind}; put it in quotes")
        if kind not in _SCALARS:
            raise self._not_allowed(node, place)
        if kind == "str":
            return self._string(node, place) if is_plain else text
        if kind in ("int", "float") and len(text) > _LONGEST_NUMBER:
            raise self._error(node, f"{_at(place)}the number {shown(text)} is too long")
        try:
            value = SafeConstructor().construct_object(node)
        except (ValueError, LookupError, TypeError, yaml.YAMLError) as error:
            raise self._error(node, f"{_at(place)}{shown(text)} is not {_A[kind]}") from error
        if is_plain and kind in ("int", "float") and _SURPRISING_NUMBER.fullmatch(text):
            raise self._error(node, f"{_at(place)}YAML reads {text} as {value}; write {value}, or put it in quotes")
        return _whole(value) if kind == "float" and TEXT_NUMBER.fullmatch(text) else value

    def _string(self, node: yaml.ScalarNode, place: tuple[str, ...]) -> object:
        if not TEXT_NUMBER.fullmatch(node.value):
            return None if self.lenient and node.value.lower() == "none" else node.value
        if not self.lenient:
            where = ":".join(key for key in place if not key.isdigit())
            number = plain(node.value)
            raise self._error(node, f"{where}: YAML reads {number} as a string; write !!float {number}")
        return _whole(float(node.value))

    def _not_allowed(self, node: yaml.Node, place: tuple[str, ...]) -> UserError:
        return self._error(node, f"{_at(place)}the tag {plain(node.tag.replace(_TAG, '!!'))} is not allowed here")

    def _error(self, node: yaml.Node, message: str) -> UserError:
        line = "" if self.lenient else f", line {node.start_mark.line + 1}"
        return UserError(f"{self.name}{line}: {message}")


def _whole(number: float) -> int | float:
    """5e3 as an integer: BasicSR's option files write counts as ``!!float 5e3``."""
    return int(number) if number.is_integer() else number


def _at(place: tuple[str, ...]) -> str:
    """The place as the beginning of a message, without positions in lists."""
    keys = [plain(key) for key in place if not key.isdigit()]
    return f"{':'.join(keys)}: " if keys else ""
