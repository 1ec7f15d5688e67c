"""Reading an option file: what YAML may hold, --force_yml, and one line for everything else."""

import os

import pytest
import yaml
from tiny import options, write_options

from converse_basicsr.cli import main
from converse_basicsr.errors import UserError
from converse_basicsr.options.reading import read_options
from converse_basicsr.options.schema import check_schema


@pytest.fixture(autouse=True)
def here(in_tmp):
    return in_tmp


def refusal(path: str, *forced: str) -> str:
    with pytest.raises(UserError) as raised:
        read_options(path, forced)
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 500
    return str(raised.value)


def test_options_are_plain_yaml(here):
    path = write_options(here / "tiny.yml")
    assert read_options(str(path)) == yaml.safe_load(path.read_text()) == options()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2\nb: 3\n", "bad.yml, line 2: not valid YAML: "),
        ("a: 1\n  b: 2\n", "bad.yml, line 2: not valid YAML: mapping values are not allowed"),
        ("- 1\n", "bad.yml: an option file must be a mapping (key: value)"),
        ("", "bad.yml: an option file must be a mapping (key: value)"),
        ("a: 1\n---\nb: 2\n", "bad.yml, line 2: not valid YAML: but found another document"),
        ("train:\n  eta_min: 1e-7\n", "line 2: train:eta_min: YAML reads 1e-7 as a string; write !!float 1e-7"),
        ("train:\n  betas: [0.9, 1e-1]\n", "bad.yml, line 2: train:betas: YAML reads 1e-1 as a string"),
        ("seed: 010\n", "line 1: seed: YAML reads 010 as 8; write 8, or put it in quotes"),
        ("lr: 1:30\n", "line 1: lr: YAML reads 1:30 as 90; write 90"),
        (f"lr: {'9' * 200}\n", "line 1: lr: the number '999"),
        ("a: 1\nb: 2\na: 3\n", "bad.yml, line 3: a is given twice"),
        ("t:\n  a: 1\n  a: 3\n", "bad.yml, line 3: t:a is given twice"),
        ("a: 1\non: 2\n", "line 2: YAML does not read the key on as a string; put it in quotes"),
        ("1: 2\n", "line 1: YAML does not read the key 1 as a string; put it in quotes"),
        ("[a]: 2\n", "line 1: a key must be a string"),
        ("a: 2024-01-01\n", "line 1: a: YAML reads 2024-01-01 as a timestamp; put it in quotes"),
        ("a: !!set {b, c}\n", "line 1: a: the tag !!set is not allowed here"),
        ("a: !!binary aGFsbG8=\n", "line 1: a: "),
        ("a: !!python/name:os.system\n", "line 1: a: the tag !!python/name:os.system is not allowed"),
        ("a: !!python/object/apply:os.system ['touch hacked']\n", "the tag !!python/object/apply:os.system"),
        ("a: !mine 3\n", "line 1: a: "),
        ("a: !!int 3.5\n", "line 1: a: '3.5' is not an integer"),
        ("a: !!bool maybe\n", "line 1: a: 'maybe' is not true or false"),
        ("a: &a [*a]\n", "nested more than 30 levels deep, or an alias that contains itself"),
        ("a: &a {<<: *a}\n", "nested more than 30 levels deep, or an alias that contains itself"),
        ("a: *none\n", "not valid YAML: found undefined alias 'none'"),
        ("a: {<<: 3}\n", "line 1: a: << must name a mapping, or a list of mappings"),
        ("a: " + "[" * 100 + "]" * 100, "nested more than 30 levels deep"),
        ("a: " + "[" * 5000, "nested too deeply"),
        ("a: " + "1, " * 50_000, "larger than 128 KiB"),
        ("a: [" + "1, " * 20_000 + "1]", "more than 10000 values"),
        ("a: \x00\n", "bad.yml: not valid YAML: "),
    ],
)
def test_malformed_files_are_named_with_the_line(here, text, message):
    (here / "bad.yml").write_text(text)
    assert message in refusal("bad.yml")
    assert not (here / "hacked").exists()


def test_an_alias_bomb_is_refused(here):
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12)]
    (here / "bomb.yml").write_text("l0: &l0 [1]\n" + "\n".join(levels))
    assert "bomb.yml: more than 10000 values" in refusal("bomb.yml")


@pytest.mark.parametrize("text", ["a: !!float 1e-7\n", "a: 1.0e-7\n", "a: '1e-7'\n", "a: 1e-7x\n", "a: 600_000\n"])
def test_numbers_and_quoted_text_are_fine(here, text):
    (here / "good.yml").write_text(text)
    assert read_options("good.yml") == yaml.safe_load(text)


def test_anchors_and_merge_keys_become_separate_objects(here):
    text = "x-a: &a {k: [1], m: 1}\nb: &b {<<: *a, m: 2}\nc: {<<: [{m: 3}, *b], n: 4}\nd: *a\n"
    (here / "good.yml").write_text(text)
    opt = read_options("good.yml")
    assert opt == {"b": {"k": [1], "m": 2}, "c": {"k": [1], "m": 3, "n": 4}, "d": {"k": [1], "m": 1}}
    opt["d"]["k"].append(2)
    assert opt["b"]["k"] == opt["c"]["k"] == [1]


def test_a_byte_order_mark_is_ignored(here):
    (here / "good.yml").write_bytes(b"\xef\xbb\xbfname: tiny\n")
    assert read_options("good.yml") == {"name": "tiny"}


def test_what_is_not_a_text_file_is_named(here):
    write_options(here / "mine.yml")
    (here / "latin.yml").write_bytes("name: größe".encode("latin-1"))
    (here / "wide.yml").write_bytes("name: x".encode("utf-16"))
    (here / "folder").mkdir()
    os.mkfifo(here / "pipe")
    assert refusal("mime.yml") == "no such option file: mime.yml; did you mean mine.yml?"
    assert refusal("zzz") == "no such option file: zzz (in .: latin.yml, mine.yml, wide.yml)"
    assert refusal("folder") == "folder is a folder, not an option file"
    assert refusal("pipe") == "pipe is not a regular file; an option file is a text file"
    assert refusal("/dev/null").startswith("/dev/null is not a regular file")
    assert refusal("latin.yml") == "latin.yml: not valid UTF-8 text (byte 8)"
    assert "wide.yml: not valid UTF-8 text" in refusal("wide.yml")
    assert "no such option file: 'a\\x00b'" in refusal("a\0b")
    assert "cannot read the option file" in refusal("a" * 300)
    assert "cannot read the option file mine.yml/x" in refusal("mine.yml/x")


def test_home_is_expanded_where_basicsr_does(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    write_options(here / "tiny.yml", datasets__train__dataroot_gt="~/data/HR", path__pretrain_network_g="~/net.pth")
    opt = read_options("tiny.yml", ["datasets:val:dataroot_lq=~/LR"])
    assert opt["datasets"]["train"]["dataroot_gt"] == f"{here}/data/HR"
    assert opt["datasets"]["val"]["dataroot_lq"] == f"{here}/LR"
    assert opt["path"]["pretrain_network_g"] == f"{here}/net.pth"


# --- --force_yml -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("!!float1e-4", 1e-4),
        ("!!float 1e-4", 1e-4),
        ("0.5", 0.5),
        ("7", 7),
        ("-1", -1),
        ("[1, 2e3]", [1, 2e3]),
        ("['a', b]", ["a", "b"]),
        ("{type: disk}", {"type": "disk"}),
        ("a=b", "a=b"),
        ("some text", "some text"),
        ("'1e-4'", "1e-4"),
        *((text, None) for text in ("~", "none", "None", "null")),
        *((text, True) for text in ("true", "True")),
        *((text, False) for text in ("false", "False")),
    ],
)
def test_forced_values_are_yaml_with_basicsrs_spellings(here, text, value):
    write_options(here / "tiny.yml")
    forced = read_options("tiny.yml", [f"train:optim_g:lr={text}"])["train"]["optim_g"]["lr"]
    assert forced == value and type(forced) is type(value)


def test_forced_keys_reach_every_section_and_may_be_new(here):
    write_options(here / "tiny.yml")
    opt = read_options("tiny.yml", ["name=other", "datasets:train:gt_size = 16", "train:warmup_iter=5"])
    assert (opt["name"], opt["datasets"]["train"]["gt_size"], opt["train"]["warmup_iter"]) == ("other", 16, 5)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("name", "--force_yml name: must be key:sub=value"),
        ("=3", "--force_yml =3: must be key:sub=value"),
        ("train:=3", "--force_yml train:=3: must be key:sub=value"),
        ("name=", "--force_yml name=: the value is missing; write ~ for none"),
        ("name=#", "--force_yml name=#: the value is missing; write ~ for none"),
        ("trian:total_iter=3", "--force_yml trian:total_iter=3: the option file has no section trian"),
        ("train:total_iter:x=3", "the option file has no section train:total_iter"),
        ("train:scheduler:periods=[1,", "[1, is not a valid value (YAML); a string can be put in quotes"),
        ("name=*.png", "*.png is not a valid value"),
        ("name=!!python/name:os.system x", "the tag !!python/name:os.system is not allowed"),
        ("name=" + "[" * 5000, "is not a valid value"),
        ("manual_seed=010", "YAML reads 010 as 8"),
    ],
)
def test_forced_values_that_do_not_fit_are_named(here, entry, message):
    write_options(here / "tiny.yml")
    assert message in refusal("tiny.yml", entry)


@pytest.mark.parametrize(
    "entry",
    [
        "train:scheduler:periods=[__import__('os').system('touch hacked') or 4]",
        """name"]=__import__("os").system("touch hacked");opt["name=1""",
        """train:x"] = [].append(__import__("os").system("touch hacked")) #=1""",
        "name=!!python/object/apply:os.system ['touch hacked']",
    ],
)
def test_nothing_forced_is_ever_executed(here, entry, capsys):
    write_options(here / "tiny.yml")
    assert main(["train", "-opt", "tiny.yml", "--force_yml", entry]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (here / "hacked").exists()
    with pytest.raises(UserError):
        check_schema(read_options("tiny.yml", [entry]), is_train=True)
    assert not (here / "hacked").exists()


def test_the_command_answers_in_one_line_with_exit_code_2(here, capsys):
    write_options(here / "tiny.yml", train__totl_iter=3)
    assert main(["train", "-opt", "tiny.yml"]) == 2
    error = capsys.readouterr().err
    assert error == "basicsr: error: tiny.yml: train: no option 'totl_iter'; did you mean total_iter?\n"
    assert not (here / "experiments").exists()


def test_the_command_shows_the_traceback_when_asked(capsys):
    assert main(["train", "-opt", "none.yml", "--traceback"]) == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train", "test"])
def test_the_help_says_what_paths_are_relative_to(capsys, command):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert "relative to the current directory" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("text", "value"), [("5e3", 5000), ("1e-3", 1e-3), ("2.5e1", 25), ("-1e0", -1)])
def test_whole_numbers_with_an_exponent_are_integers(in_tmp, text, value):
    """As in BasicSR's own files: val_freq: !!float 5e3."""
    (in_tmp / "some.yml").write_text(f"a: !!float {text}\n")
    (in_tmp / "other.yml").write_text("a: 1\n")
    for found in (read_options("some.yml"), read_options("other.yml", [f"a={text}"])):
        assert found == {"a": value} and type(found["a"]) is type(value)
