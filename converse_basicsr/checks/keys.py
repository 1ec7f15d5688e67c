"""Which options a class reads, from its source: BasicSR's classes take a dict and say nowhere what is in it."""

import ast
import inspect
import textwrap
from dataclasses import dataclass, field
from functools import cache


@dataclass
class Keys:
    """The keys that a class and its bases read from dicts."""

    needed: set[str] = field(default_factory=set)  # read as section["key"], and never as in `optional`
    optional: set[str] = field(default_factory=set)  # read as section.get("key") or "key" in section

    @property
    def all(self) -> set[str]:
        return self.needed | self.optional


@cache
def keys_read(cls: type, receivers: tuple[str, ...] | None = None) -> Keys:
    """The keys that a class reads.

    Args:
        cls: a class with source.
        receivers: read from these expressions only, for example ('opt', 'self.opt'); None: from any.
    """
    subscripts, others = set(), set()
    for base in cls.__mro__:
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError):  # a builtin class
            continue
        for node in ast.walk(tree):
            for found, receiver, key in _reads(node):
                if receivers is None or ast.unparse(receiver) in receivers:
                    (subscripts if found == "subscript" else others).add(key)
    return Keys(subscripts - others, others)


def _reads(node: ast.AST) -> list[tuple[str, ast.expr, str]]:
    """(kind, receiver, key) if the node reads a constant key."""
    match node:
        case ast.Subscript(value=receiver, slice=ast.Constant(value=str(key)), ctx=ast.Load()):
            return [("subscript", receiver, key)]
        case ast.Call(func=ast.Attribute(value=receiver, attr="get" | "pop"), args=[ast.Constant(value=str(key)), *_]):
            return [("get", receiver, key)]
        case ast.Compare(left=ast.Constant(value=str(key)), ops=[ast.In() | ast.NotIn()], comparators=[receiver]):
            return [("in", receiver, key)]
    return []
