"""The code blocks of README and docs, and the comments that tell the tests what a block needs.

The comments stand on lines of their own before a block and are invisible when the page is rendered:

    <!-- needs: minutes -->     not run, only checked; NEEDS has the words. With `weights` it runs where they are.
    <!-- before: x = 1 -->      Python that the page does not show, run before the block; may have several lines.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from conftest import REPOSITORY
from markdown_it import MarkdownIt

NEEDS = {
    "weights": "the published weights",
    "minutes": "more time than a test has",
    "files": "files or placeholders of the reader",
    "processes": "several processes or a scheduler",
    "network": "a network connection",
    "packages": "packages of others; a test of its own runs it",
}
LANGUAGES = ("bash", "console", "python", "yaml", "text")
PROGRAMS = ("basicsr", "bash", "pip", "python", "source", "torchrun")
_COMMENT = re.compile(r"<!--\s*(\w+):(.*?)-->", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A code block of a page."""

    page: str  # path below the repository
    line: int  # of its first line of code
    language: str
    text: str
    needs: frozenset[str]
    before: str  # hidden Python

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    return [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]


def blocks_of(page: Path) -> list[Block]:
    """The code blocks of a page in order, without directives of MyST.

    Raises:
        ValueError: a comment or a language is not known, or a comment has no block.
    """
    name = page.relative_to(REPOSITORY).as_posix()
    blocks, needs, before = [], set(), ""
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type == "html_block":
            for key, value in _COMMENT.findall(token.content):
                if key == "before":
                    before = dedent(value).strip() + "\n"
                elif key == "needs" and {word.strip() for word in value.split(",")} <= NEEDS.keys():
                    needs = {word.strip() for word in value.split(",")}
                else:
                    raise ValueError(f"{name}:{token.map[0] + 1}: not a known comment: {key}:{value}")
        elif token.type in ("code_block", "fence"):
            is_fence = token.type == "fence"
            language = token.info.strip() if is_fence else _guess(token.content)
            if language.startswith("{"):
                continue
            if language not in LANGUAGES:
                raise ValueError(f"{name}:{token.map[0] + 1}: {language!r} is not one of {', '.join(LANGUAGES)}")
            line = token.map[0] + 1 + is_fence
            blocks.append(Block(name, line, language, token.content, frozenset(needs), before))
            needs, before = set(), ""
    if needs or before:
        raise ValueError(f"{name}: a comment without a block after it")
    return blocks


def code_in_text(page: Path) -> list[str]:
    """The pieces of code within the sentences and tables of a page."""
    tokens = MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8"))
    children = [child for token in tokens if token.type == "inline" for child in token.children]
    return [child.content for child in children if child.type == "code_inline"]


def _guess(text: str) -> str:
    """The language of an indented block; text if it is a formula or an output."""
    lines = text.splitlines()
    if text.startswith("$ "):
        return "console"
    if any(line.startswith(PROGRAMS) for line in lines):
        return "bash"
    if any(re.match(r"(from|import|def|class) ", line) for line in lines) or _compiles(text):
        return "python"
    return "yaml" if re.match(r"\w+:(\s|$)", lines[0]) else "text"


def _compiles(text: str) -> bool:
    try:
        compile(text, "block", "exec")
    except SyntaxError:
        return False
    return True
