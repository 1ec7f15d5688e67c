"""docs/option_reference.md: every key of the schema, with its type, default and meaning."""

import re

from conftest import REPOSITORY

from converse_basicsr.options.reference import option_reference
from converse_basicsr.options.schema import json_schema

PAGE = REPOSITORY / "docs/option_reference.md"


def test_the_page_is_that_of_the_schema():
    """If it differs: python -m converse_basicsr.options.reference > docs/option_reference.md"""
    assert PAGE.read_text(encoding="utf-8") == option_reference()


def test_every_key_has_a_kind_a_default_and_a_meaning():
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \|$", option_reference(), re.MULTILINE)
    assert all(all(row) for row in rows), [row for row in rows if not all(row)]
    assert {row[0] for row in rows} >= set(re.findall(r'^    "(\w+)": \{$', json_schema(), re.MULTILINE)) - {"val"}


def test_rows():
    page = option_reference()
    for row in (
        "| `total_iter` | an integer of 1 or more | needed | Number of iterations. |",
        "| `use_hflip` | true or false | `false` | Flip training patches at random. |",
        "| `keep_last` | an integer of 1 or more, or `~` | `~` | Keep this many states; ~: all. |",
        "| `betas` | a list of two numbers of 0 or more and below 1 | `[0.9, 0.999]` |",
        "| `ignore_resume_networks` | a list of network_g or network_d, or `~` | `~` |",
    ):
        assert row in page
    assert "### train: optim_g, train: optim_d" in page and page.count("### train: scheduler") == 2
