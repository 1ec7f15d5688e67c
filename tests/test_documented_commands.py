"""The checks of documented blocks find what is wrong."""

import pytest
from documented_commands import check_command, check_mention, commands_in, own_arguments
from markdown_blocks import NEEDS, blocks_of
from test_documentation import check_fragment, run_page

from converse_basicsr.errors import UserError

PAGE = """
Text.

<!-- needs: weights, minutes -->
<!-- before:
x = 1
-->
    basicsr train -opt FILE

```python
y = x + 1
```

- in a list:

  ```yaml
  scale: 2
  ```

```{toctree}
start
```
"""


def page(tmp_path, monkeypatch, text: str):
    monkeypatch.setattr("markdown_blocks.REPOSITORY", tmp_path)
    (tmp_path / "page.md").write_text(text)
    return blocks_of(tmp_path / "page.md")


def test_blocks_of_a_page(tmp_path, monkeypatch):
    first, second, third = page(tmp_path, monkeypatch, PAGE)
    assert (first.language, first.line, first.needs, first.before) == ("bash", 8, {"weights", "minutes"}, "x = 1\n")
    assert (second.language, second.place, second.needs, second.before) == ("python", "page.md:11", set(), "")
    assert (third.language, third.text) == ("yaml", "scale: 2\n")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("basicsr doctor", "bash"),
        ("$ basicsr doctor", "console"),
        ("import torch", "python"),
        ("y = up(x)", "python"),
        ("network_g:\n      type: ConverseNet", "yaml"),
        ("z = argmin_z || y - A z ||^2", "text"),
    ],
)
def test_the_language_of_an_indented_block(tmp_path, monkeypatch, text, language):
    assert [block.language for block in page(tmp_path, monkeypatch, f"    {text}\n")] == [language]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!-- needs: luck -->\n    x", "not a known comment: needs: luck"),
        ("<!-- need: weights -->\n    x", "not a known comment: need: weights"),
        ("<!-- needs: weights -->\n\nNo block.", "a comment without a block"),
        ("```sh\nls\n```", "'sh' is not one of bash"),
    ],
)
def test_wrong_comments_and_languages(tmp_path, monkeypatch, text, message):
    with pytest.raises(ValueError, match=message):
        page(tmp_path, monkeypatch, text)


@pytest.mark.usefixtures("needs_basicsr")
@pytest.mark.parametrize(
    "line",
    [
        "basicsr train -opt FILE --force_yml train:total_iter=200 name=x",
        "torchrun --standalone --nproc_per_node=4 -m converse_basicsr train -opt FILE --launcher pytorch",
        "OMP_NUM_THREADS=1 basicsr benchmark -opt options/benchmark/smoke.yml  # a comment",
        "python scripts/fuzz_images.py --count 10",
        "pip install -e '.[benchmark]'",
        "PYTHON=python3.11 bash scripts/setup.sh",
    ],
)
def test_right_commands(line):
    for words in commands_in(line):
        check_command(words)


@pytest.mark.usefixtures("needs_basicsr")
@pytest.mark.parametrize(
    "line",
    [
        "basicsr trian -opt FILE",
        "basicsr train -opt FILE --fast",
        "basicsr train -opt options/none.yml",
        "basicsr test -opt options/converse_srresnet.yml",
        "basicsr train -opt FILE --force_yml train:totl_iter=200",
        "basicsr train -opt options/converse_srresnet.yml --force_yml train:total_iter=100000",
        "basicsr benchmark -opt FILE --force_yml recipe:val:val_frq=100",
        "torchrun --processes=4 -m converse_basicsr train -opt FILE",
        "python scripts/fuzz_images.py --number 10",
        "python scripts/none.py",
        "python -m converse_basicsr.none",
        "pip install -e '.[none]'",
        "bash scripts/none.sh",
        "rm -r experiments",
    ],
)
def test_wrong_commands(line):
    with pytest.raises((AssertionError, UserError, SystemExit)):
        for words in commands_in(line):
            check_command(words)


def test_names_in_the_text():
    for right in ("basicsr weights export-hub", "basicsr train --auto_resume", "basicsr COMMAND --help", "train: amp"):
        check_mention(right)
    for wrong in ("basicsr trian", "basicsr weights put", "basicsr train --auto", "options/none.yml"):
        with pytest.raises(AssertionError):
            check_mention(wrong)


def test_arguments_of_our_command():
    assert own_arguments(["A=1", "srun", "python", "-m", "converse_basicsr", "test", "-opt", "x"]) == [
        "test",
        "-opt",
        "x",
    ]
    assert own_arguments(["pip", "install", "converse_basicsr"]) is None


@pytest.mark.usefixtures("needs_basicsr")
@pytest.mark.parametrize(
    "fragment",
    [
        {"train": {"acum_iter": 2}},
        {"network_g": {"type": "ConverseSRResNet", "num_blocks": 2}},
        {"scale": "four"},
    ],
    ids=str,
)
def test_wrong_options(fragment):
    with pytest.raises(UserError):
        check_fragment(fragment)


def test_what_a_block_runs(tmp_path, monkeypatch, in_tmp):
    wrong = page(tmp_path, monkeypatch, "```console\n$ basicsr --version\nconverse_basicsr 99\n```")
    with pytest.raises((AssertionError, SystemExit)):
        run_page(wrong)
    with pytest.raises(ZeroDivisionError):
        run_page(page(tmp_path, monkeypatch, "<!-- before: x = 0 -->\n```python\n1 / x\n```"))
    with pytest.raises(AssertionError, match="ended with 2"):
        run_page(page(tmp_path, monkeypatch, "    basicsr weights show none.pth"))
    assert NEEDS["minutes"]
