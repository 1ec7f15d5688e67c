"""What a new user types wrong: one line that says what would be right; option files before torch is imported."""

import subprocess
import sys

import pytest
from conftest import environment
from PIL import Image
from tiny import options, write_options

from converse_basicsr.cli import main

SMOKE = "benchmark/smoke"


@pytest.fixture(autouse=True)
def here(in_tmp):
    """photo.png, text.pth and option files: for training, for a test, for a benchmark, and with mistakes."""
    Image.new("RGB", (24, 16), "gray").save("photo.png")
    (in_tmp / "text.pth").write_text("hello")
    write_options(in_tmp / "mine.yml")
    write_options(in_tmp / "key.yml", train__totl_iter=3)
    write_options(in_tmp / "value.yml", train__total_iter="many")
    write_options(in_tmp / "tested.yml", train=None, datasets={"val": options()["datasets"]["val"]})
    (in_tmp / "syntax.yml").write_text("a: [1, 2\nb: 3\n")
    main(["options", "copy", SMOKE, "--to", "."])
    return in_tmp


def refusal(command: str, capsys) -> str:
    """The one line that a command answers with exit code 2."""
    capsys.readouterr()
    try:
        code = main(command.split())
    except SystemExit as stop:
        code = stop.code
    printed = capsys.readouterr().err
    assert code == 2 and printed.count("\n") == 1, printed
    return printed.strip()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("restor photo.png", "basicsr: error: no command restor; did you mean restore? (see basicsr --help)"),
        ("zzz", "no command zzz (restore, page, train, test, "),
        ("weights gte x", "basicsr weights: error: no kind gte; did you mean get?"),
        ("options lst", "basicsr options: error: no action lst; did you mean list?"),
        ("doctor now", "basicsr doctor: error: unexpected argument now"),
        ("restore photo.png -m x --overwite", "no option --overwite; did you mean --overwrite?"),
        ("train -opt mine.yml --launcher pytrch", "--launcher: must be one of none, pytorch, slurm; got pytrch"),
        ("restore photo.png --method converse2", "--method: must be one of converse2d; got converse2"),
        ("data prepare folder", "basicsr data prepare: error: the following arguments are required: --out"),
    ],
)
def test_arguments(command, message, capsys):
    assert message in refusal(command, capsys)


@pytest.mark.usefixtures("needs_basicsr")
@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("train", "no option file is given: -opt FILE (basicsr options list shows the shipped ones)"),
        ("train mine.yml", "unexpected argument mine.yml; did you mean -opt mine.yml?"),
        ("train -opt mime.yml", "no such option file: mime.yml; did you mean mine.yml?"),
        ("train -opt zzz.yml", "no such option file: zzz.yml (in .: key.yml, mine.yml, syntax.yml, tested.yml, "),
        ("train -opt dncn.yml", "basicsr options copy dncnn makes options/dncnn.yml"),
        ("train -opt options/paper/conversenet.yml", "basicsr options copy paper/conversenet makes options/paper/"),
        ("train -opt options/conversenet.yml", "basicsr options copy conversenet makes options/conversenet.yml"),
        ("train -opt none/zzz.yml", "none/zzz.yml; basicsr options list shows the shipped files"),
        ("train -opt key.yml", "basicsr: error: key.yml: train: no option 'totl_iter'; did you mean total_iter?"),
        ("check -opt key.yml", "basicsr: error: key.yml: train: no option 'totl_iter'; did you mean total_iter?"),
        ("train -opt value.yml", "basicsr: error: value.yml: train:total_iter: must be an integer of 1 or more, got"),
        ("train -opt syntax.yml", "basicsr: error: syntax.yml, line 2: not valid YAML"),
        ("train -opt tested.yml", "tested.yml: this is an option file for a test: basicsr test -opt tested.yml"),
        ("test -opt mine.yml", "mine.yml: this is an option file for training: basicsr train -opt mine.yml"),
        (
            f"train -opt {SMOKE}.yml",
            "smoke.yml: this is an option file for a benchmark: basicsr benchmark -opt",
        ),
        ("benchmark", "give either an option file, -opt FILE, or --smoke"),
        ("benchmark -opt mine.yml", "mine.yml: this is an option file for one network: basicsr train (or test) -opt"),
        (f"benchmark -opt {SMOKE}.yml --force_yml seds=[1]", "smoke.yml: no option 'seds'; did you mean seeds?"),
        ("train -opt mine.yml --force_yml trai:x=1", "the option file has no section trai; did you mean train?"),
    ],
)
def test_option_files(command, message, capsys):
    assert message in refusal(command, capsys)


@pytest.mark.usefixtures("needs_basicsr")
@pytest.mark.parametrize(
    "command", ["train -opt key.yml", "check -opt key.yml", f"benchmark -opt {SMOKE}.yml --force_yml seds=[1]"]
)
def test_an_option_file_is_checked_before_torch_is_imported(command):
    code = f"import sys; from converse_basicsr.cli import main; print(main({command.split()}), 'torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment())
    assert result.stdout == "2 False\n", result.stderr


@pytest.mark.usefixtures("needs_basicsr")
@pytest.mark.parametrize("command", ["train", "check"])
def test_later_mistakes_of_an_option_file_name_it_too(here, command, capsys):
    message = refusal(f"{command} -opt mine.yml", capsys)
    assert message.startswith("basicsr: error: mine.yml: datasets:train:dataroot_gt: no such file or folder: data/HR")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            "restore photo.png",
            "restore needs weights, -m NAME or FILE, as in `basicsr restore photo.jpg -m conv",
        ),
        ("restore photo.png -m text.pth", "text.pth is not a file of weights; such are .pth files (of torch.save) and"),
        ("restore photo.png --method converse2d --kernel gausian:2", "gaussian:SIGMA[,SIGMA2,ANGLE] or motion:LENGTH"),
        ("restore photo.png -m x -o text.pth/y", "-o: text.pth is not a folder"),
        ("reproduce --out text.pth", "--out: text.pth is not a folder"),
        ("benchmark --smoke --out text.pth/x", "--out: text.pth is not a folder"),
        ("data demo --root text.pth", "text.pth is a file; give a folder, --root FOLDER"),
    ],
)
def test_pictures_weights_and_folders(command, message, capsys):
    if command.startswith("data"):
        pytest.importorskip("basicsr")
    assert message in refusal(command, capsys)


@pytest.mark.parametrize("command", ["", "weights", "data", "options"])
def test_a_command_without_its_subcommand_shows_its_help(command, capsys):
    assert main(command.split()) == 2
    assert f"usage: basicsr {command}".rstrip() in capsys.readouterr().err
