"""A test: trained weights on every data set of an option file."""

from pathlib import Path

import torch
from torch.utils.data import DataLoader

from basicsr.data import build_dataset
from basicsr.models import build_model

from ..checks import check_run
from ..errors import UserError, in_file
from .experiment import archive, note_options, only_run
from .finished_options import finish_options
from .introduction import introduce
from .iteration import explaining
from .logs import log
from .processes import Processes
from .report import report
from .run import Start, logged
from .seeds import seed_generators
from .validation import means, measures_itself, validate


def test(given: dict, start: Start, processes: Processes) -> None:
    """Restore and measure every data set; save images if val: save_img is set, then print a table and save figures.

    Raises:
        UserError: wrong input, or an error that the user can fix; says what.
    """
    if processes.is_first:
        with in_file(start.file):
            check_run(given, is_train=False)
    opt = finish_options(given, start.root, False, processes, start.debug)
    folder = Path(opt["path"]["results_root"])
    if not processes.is_first:
        processes.share(None)  # until rank 0 has checked the options and prepared the folder
        return _test(opt, given, start, processes)
    with only_run(folder), explaining(str(folder), lambda: "the start"):
        _clear(folder)
        processes.share(None)
        return _test(opt, given, start, processes)


def _clear(folder: Path) -> None:
    """Rename the results of an earlier test of this name.

    Raises:
        UserError: the folder is not that of a test.
    """
    if folder.exists() and any(folder.iterdir()):
        if not any(folder.glob("test_*.log")):
            raise UserError(f"{folder} exists, and is not the folder of an earlier test; choose another name")
        archive(folder)
    folder.mkdir(parents=True, exist_ok=True)


def _test(opt: dict, given: dict, start: Start, processes: Processes) -> None:
    log_file = processes.share(note_options(opt, given) if processes.is_first else None)
    with logged(log_file, processes), explaining(opt["name"], lambda: "the test"):
        torch.backends.cudnn.benchmark = True
        seed_generators(opt["manual_seed"])
        sets = [build_dataset(section) for _, section in sorted(opt["datasets"].items())]
        model = build_model(opt)
        introduce(opt, model, None, sets, log_file)
        rows = {}
        for dataset in sets:
            name = dataset.opt["name"]
            if measures_itself(model):
                model.validation(DataLoader(dataset), opt["name"], None, opt["val"]["save_img"])
                continue

            def place(image: str, name: str = name) -> Path:
                suffix = opt["val"].get("suffix") or opt["name"]
                return Path(opt["path"]["visualization"], name, f"{image}_{suffix}.png")

            save_as = place if opt["val"]["save_img"] else None
            rows[name] = validate(model, dataset, opt, processes, save_as, start.with_report)
            measured = means(rows[name])
            if measured:
                log.info(f"test of {name}: {', '.join(f'{metric} {value:.4f}' for metric, value in measured.items())}")
        if start.with_report and processes.is_first:
            report(rows, opt)
