"""The schema of an option file: every rule by its message. Nothing is built or read here."""

import json
import math

import pytest
from conftest import REPOSITORY
from tiny import MISSING, options

from converse_basicsr.errors import UserError
from converse_basicsr.options.schema import check_schema, dist_params, json_schema

TRAIN, VAL = "datasets__train", "datasets__val"
STEPS = {"type": "MultiStepLR", "milestones": [1, 2]}
TEST = {"datasets": {"test_1": options()["datasets"]["val"]}, "val__suffix": None}


def refusal(is_train: bool = True, **changes) -> str:
    with pytest.raises(UserError) as raised:
        check_schema(options(**changes), is_train)
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 400
    return str(raised.value)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"val": None},
        {"val": MISSING},
        {"degradation": None},
        {"network_d": None},
        {"manual_seed": 2**32 - 1},
        {"manual_seed": None},
        {"scale": None},
        {"num_gpu": 0},
        {"name": "a.b-C_1"},
        {"dist_params": {"backend": "gloo", "port": 29500}},
        {"datasets__val_2": {**options()["datasets"]["val"], "name": "other"}},
        {f"{TRAIN}__skip_unreadable": 3},
        {f"{TRAIN}__persistent_workers": True, f"{TRAIN}__num_worker_per_gpu": 1},
        {f"{TRAIN}__prefetch_mode": "cpu", f"{TRAIN}__num_prefetch_queue": 2, f"{TRAIN}__pin_memory": False},
        {f"{TRAIN}__anything_of_the_class": 1},
        {"train__scheduler": {**STEPS, "gamma": 0.5, "restarts": [0, 1], "restart_weights": [1, 0.5]}},
        {"train__scheduler": {**STEPS, "type": "MultiStepRestartLR", "milestones": [2, 2]}},
        {"train__optim_g": {"type": "Adam", "lr": 1, "betas": [0, 0.99], "weight_decay": 0, "eps": 1e-8}},
        {"train__pixel_opt__loss_weight": -1},
        {"train__warmup_iter": -1},
        {"logger__keep_last": 2, "logger__keep_best": "psnr"},
        {"logger__keep_last": None, "logger__keep_best": None},
        {"logger__keep_best": "psnr", "val": None},
        {"logger__wandb": {"project": None}},
        {"logger__wandb": {"project": "p", "resume_id": "1"}, "logger__use_tb_logger": True},
        {"val__metrics": None},
        {"path__param_key_g": None, "path__ignore_resume_networks": ["network_g"]},
    ],
    ids=str,
)
def test_valid_options_pass(changes):
    check_schema(options(**changes), is_train=True)


@pytest.mark.parametrize("changes", [{}, {"train": MISSING, "logger": MISSING}, {"val__val_freq": MISSING}], ids=str)
def test_a_valid_test_passes(changes):
    check_schema(options(**{**TEST, **changes}), is_train=False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trian": {}}, "no option 'trian'; did you mean train?"),
        ({"zzz": 1}, "no option 'zzz'"),
        ({"train__totl_iter": 1}, "train: no option 'totl_iter'; did you mean total_iter?"),
        ({"train__separate_draws": True}, "train: no option 'separate_draws'"),
        ({"logger__journal": True}, "logger: no option 'journal'"),
        ({"val__metric": {}}, "val: no option 'metric'; did you mean metrics?"),
        (
            {"path__pretrained_network_g": "x"},
            "path: no option 'pretrained_network_g'; did you mean pretrain_network_g?",
        ),
        ({"train__optim_g__lrate": 1}, "train:optim_g: no option 'lrate'; did you mean lr?"),
        ({"train__scheduler__gamma": 1}, "train:scheduler: no option 'gamma'"),
        ({f"{TRAIN}__io_backend__typ": 1}, "datasets:train:io_backend: no option 'typ'; did you mean type?"),
        ({"dist_params": {"prot": 1}}, "dist_params: no option 'prot'; did you mean port?"),
        ({"logger__wandb": {"projekt": "x"}}, "logger:wandb: no option 'projekt'; did you mean project?"),
        ({"a\nb": 1}, "no option \"'a\\\\nb'\""),
        ({"network_g": MISSING}, "network_g is missing"),
        ({"train": MISSING}, "train is missing"),
        ({"train__optim_g__lr": MISSING}, "train:optim_g:lr is missing"),
        ({"train__scheduler__periods": MISSING}, "train:scheduler:periods is missing"),
        ({"train__scheduler__type": MISSING}, "train:scheduler:type: must be CosineAnnealingRestartLR, MultiStepLR or"),
        ({f"{TRAIN}__batch_size_per_gpu": MISSING}, "datasets:train:batch_size_per_gpu is missing"),
        ({f"{TRAIN}__type": MISSING}, "datasets:train:type is missing"),
        ({f"{TRAIN}__io_backend": MISSING}, "datasets:train:io_backend is missing"),
        ({"logger__print_freq": MISSING}, "logger:print_freq is missing"),
        ({"val__val_freq": MISSING}, "val:val_freq is missing"),
        ({"val__metrics__psnr__type": MISSING}, "val:metrics:psnr:type is missing"),
        ({"datasets": 3}, "datasets: must be a mapping (key: value), got 3"),
        ({f"{TRAIN}": None}, "datasets: training needs a section train"),
        ({f"{VAL}": None}, "datasets:val: must be a mapping (key: value), got None"),
        ({"network_g": 3}, "network_g: must be a mapping (key: value), got 3"),
        ({"network_d": []}, "network_d: must be a mapping (key: value), got []"),
        ({"path": None}, "path: must be a mapping (key: value), got None"),
        ({"train": [1]}, "train: must be a mapping (key: value), got [1]"),
        ({"train__scheduler": None}, "train:scheduler: must be a mapping (key: value), got None"),
        ({"train__optim_g": 3}, "train:optim_g: must be a mapping (key: value), got 3"),
        ({"val__metrics": [1]}, "val:metrics: must be a mapping (key: value), got [1]"),
        ({"val__metrics__psnr": None}, "val:metrics:psnr: must be a mapping (key: value), got None"),
        ({f"{TRAIN}__io_backend": "disk"}, "datasets:train:io_backend: must be a mapping (key: value), got 'disk'"),
    ],
    ids=str,
)
def test_keys_and_sections_are_known_and_complete(changes, message):
    assert message in refusal(**changes)


COUNT, INDEX = "must be an integer of 1 or more, got ", "must be an integer of 0 or more, got "
POSITIVE, NOT_NEGATIVE = "must be a number above 0, got ", "must be a number of 0 or more, got "
FOLDER = "must be a folder name: at most 200 letters, digits, _, - and ., beginning with a letter, a digit or _, got "


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        *(("name", name, FOLDER) for name in ("", 2024, "../precious", "/abs", "a/b", ".", "..", ".a", "-a", "a b")),
        ("name", "a" * 201, FOLDER),
        ("name", "a\n", FOLDER),
        (f"{VAL}__name", "../x", FOLDER),
        ("model_type", ["SRModel"], "must be a string, got ['SRModel']"),
        ("num_gpu", -1, "must be auto or an integer of 0 or more, got -1"),
        ("num_gpu", True, "must be auto or an integer of 0 or more, got True"),
        ("num_gpu", "all", "must be auto or an integer of 0 or more, got 'all'"),
        ("scale", 0, COUNT),
        ("scale", 2.0, COUNT),
        *(("manual_seed", seed, "must be an integer from 0 to 4294967295, got ") for seed in (-1, 2**32, 1.5, True)),
        ("find_unused_parameters", 1, "must be true or false, got 1"),
        *(("train__total_iter", value, COUNT) for value in ("many", 0, 1.5, True, None, [1])),
        *(("train__optim_g__lr", lr, POSITIVE) for lr in ("fast", 0, -1, math.inf, math.nan, True, None)),
        ("train__optim_g__lr", 10**400, POSITIVE),
        ("train__optim_g__type", "SGD", "must be Adam, the only optimiser of BasicSR 1.4.2, got 'SGD'"),
        *(
            ("train__optim_g__betas", betas, "must be a list of two numbers of 0 or more and below 1, got ")
            for betas in ([0.9], [0.9, 1], [-1, 0.9], 0.9, [0.9, "a"], [0.9, math.nan])
        ),
        *(("train__optim_g__weight_decay", value, NOT_NEGATIVE) for value in (-1, math.inf, "0")),
        ("train__optim_g__eps", 0, POSITIVE),
        *(("train__ema_decay", value, "must be a number of 0 or more and below 1, got ") for value in (1, -0.1, "a")),
        ("train__warmup_iter", -2, "must be an integer of -1 or more, got -2"),
        ("train__net_d_iters", 0, COUNT),
        ("train__scheduler__type", "Cosine", "must be CosineAnnealingRestartLR, MultiStepLR or MultiStepRestartLR"),
        *(
            ("train__scheduler__periods", p, "must be a list of integers of 1 or more, got ")
            for p in (4, [], [0], [4.5])
        ),
        ("train__scheduler__restart_weights", [0], "must be a list of numbers above 0, got [0]"),
        *(("train__scheduler__eta_min", eta, NOT_NEGATIVE) for eta in (-1, math.nan, math.inf, "0")),
        ("train__pixel_opt__loss_weight", math.nan, "must be a number, got nan"),
        ("train__pixel_opt__loss_weight", "1", "must be a number, got '1'"),
        ("train__pixel_opt__reduction", "none", "must be mean or sum, got 'none'"),
        ("train__pixel_opt__eps", math.nan, "must be a finite number, got nan"),
        ("network_g__num_feat", math.inf, "must be a finite number, got inf"),
        ("network_g__num_feat", 2**80, "must have at most 64 bits, got 1208925819614629174706176"),
        ("network_g__num_block", 10**9, "must be at most 65536, got 1000000000"),
        ("network_g__depths", [6, 10**9], "must be at most 65536, got 1000000000"),
        ("network_g__mode", "x" * 600, "must have at most 500 characters, got 'xxx"),
        ("train__pixel_opt__mode", "a\nb", "must have no control characters, got 'a\\nb'"),
        ("val__val_freq", 0, COUNT),
        ("val__save_img", "yes", "must be true or false, got 'yes'"),
        ("val__tile", 0, COUNT),
        ("val__tile_overlap", -1, INDEX),
        ("val__x8", 1, "must be true or false, got 1"),
        ("val__metrics", {"a/b": {"type": "calculate_psnr"}}, FOLDER),
        *(("val__metrics__psnr__crop_border", border, INDEX) for border in (-1, 1.5, "4", True, None)),
        ("val__metrics__psnr__input_order", "CHW", "must be HWC, the order of the images that are measured, got 'CHW'"),
        ("val__metrics__psnr__better", "highest", "must be higher or lower, got 'highest'"),
        ("logger__print_freq", 0, COUNT),
        ("logger__save_checkpoint_freq", 5e3, COUNT),
        ("logger__use_tb_logger", "no", "must be true or false, got 'no'"),
        ("logger__keep_last", 0, COUNT),
        *(
            (
                "path__pretrain_network_g",
                path,
                "must be a path (no control characters, names of at most 255 bytes), got ",
            )
            for path in (3, "", "a\nb", "a\0b", "x" * 300)
        ),
        ("path__strict_load_g", "false", "must be true or false, got 'false'"),
        ("path__ignore_resume_networks", "network_g", "must be a list, got 'network_g'"),
        (f"{TRAIN}__gt_size", "96", COUNT),
        (f"{TRAIN}__gt_size", None, COUNT),
        (f"{TRAIN}__use_hflip", "no", "must be true or false, got 'no'"),
        (f"{TRAIN}__num_worker_per_gpu", -1, "must be an integer from 0 to 256, got -1"),
        (f"{TRAIN}__num_worker_per_gpu", 100000, "must be an integer from 0 to 256, got 100000"),
        (f"{TRAIN}__batch_size_per_gpu", 0, "must be an integer from 1 to 65536, got 0"),
        *((f"{TRAIN}__dataset_enlarge_ratio", r, "must be a number above 0, at most 1000000") for r in (0, 1e9, "2")),
        (f"{TRAIN}__prefetch_mode", "gpu", "must be cuda, cpu or ~, got 'gpu'"),
        (f"{TRAIN}__num_prefetch_queue", 0, COUNT),
        (f"{TRAIN}__skip_unreadable", -1, INDEX),
        (f"{TRAIN}__io_backend", {"type": "LMDB"}, "must be disk, lmdb, memcached or mmengine, got 'LMDB'"),
        (f"{VAL}__persistent_workers", True, "must be false: only training loads images with workers, got True"),
        ("degradation", {"type": "Noise"}, "must be GaussianNoise, BicubicReduction or Blur, got 'Noise'"),
        ("dist_params", {"port": 70000}, "must be an integer from 1 to 65535, got 70000"),
        ("resize_prob", [1, 0], "must be a list of three probabilities, got [1, 0]"),
        ("noise_range", [1], "must be a list of two numbers of 0 or more: the least and the largest, got [1]"),
    ],
    ids=str,
)
def test_a_wrong_value_is_shown_with_what_is_allowed(place, value, message):
    text = refusal(**{place: value})
    assert message in text and text.startswith(place.replace("__", ":"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train__scheduler__periods": [1]}, "train:scheduler:periods: the sum (1) must be at least total_iter (2)"),
        (
            {"train__scheduler__restart_weights": [1, 1]},
            "train:scheduler:restart_weights: must have the same length as periods (2 and 1 numbers)",
        ),
        (
            {"train__scheduler": {**STEPS, "restart_weights": [1, 1]}},
            "train:scheduler:restart_weights: must have the same length as restarts (2 and 1 numbers)",
        ),
        (
            {"train__scheduler": {**STEPS, "milestones": [2, 1]}},
            "train:scheduler:milestones: must be in ascending order, got [2, 1]",
        ),
        ({"train__optim_g__foreach": True, "train__optim_g__fused": True}, "train:optim_g: foreach and fused cannot"),
        ({f"{TRAIN}__pin_memory": False}, "datasets:train:prefetch_mode: cuda needs pin_memory: true"),
        (
            {f"{TRAIN}__persistent_workers": True},
            "datasets:train:persistent_workers: true needs num_worker_per_gpu of 1 or more",
        ),
        ({"logger__wandb": {"project": "p"}}, "logger:wandb: needs use_tb_logger: true"),
        ({"logger__keep_best": "ssim"}, "logger:keep_best: must name a metric of val: metrics (psnr), got 'ssim'"),
        (
            {"logger__keep_best": "psnr", "val__metrics": None},
            "logger:keep_best: must name a metric of val: metrics (none)",
        ),
        ({"path__pretrain_network_d": "d.pth"}, "path:pretrain_network_d: the option file has no network_d"),
        ({"path__ignore_resume_networks": ["network_d"]}, "the option file has no network_d"),
        ({TRAIN: MISSING}, "datasets: training needs a section train"),
        ({"datasets__test": options()["datasets"]["val"]}, "datasets:test: must be train, or start with val"),
        ({"datasets__train_1": options()["datasets"]["val"]}, "datasets:train_1: must be train, or start with val"),
        ({"datasets__val_2": options()["datasets"]["val"]}, "datasets: 2 sections have the name tiny_val; their"),
    ],
    ids=str,
)
def test_keys_that_do_not_fit_together_are_named(changes, message):
    assert message in refusal(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"datasets": {}}, "datasets: a test needs a section test"),
        ({"datasets": options()["datasets"]}, "datasets:train: must start with test or val"),
        ({"datasets": {"tset": options()["datasets"]["val"]}}, "datasets:tset: must start with test or val"),
        ({"val": None}, "val: must be a mapping (key: value), got None"),
        ({"val__save_img": True, "val": {"save_img": True}}, "val:suffix is missing"),
        ({"val__suffix": "a/../../x"}, "val:suffix: must be a part of a file name: at most 100 letters, digits"),
    ],
    ids=str,
)
def test_a_test_has_rules_of_its_own(changes, message):
    changes.pop("val__save_img", None)
    assert message in refusal(False, **{"datasets": TEST["datasets"], **changes})


def test_a_long_value_is_shortened():
    assert refusal(name="x" * 5000).endswith("xxx...")


def test_processes_can_be_connected_before_the_file_is_checked():
    assert dist_params({"dist_params": {"backend": "gloo", "port": 5}}).model_dump() == {"backend": "gloo", "port": 5}
    for wrong in ({}, {"dist_params": None}, {"dist_params": 3}, {"dist_params": {"port": "x"}}):
        assert dist_params(wrong).model_dump() == {"backend": "nccl", "port": None}


def test_options_are_not_changed():
    opt = options()
    check_schema(opt, is_train=True)
    assert opt == options()


@pytest.mark.parametrize("name", ["option_file", "benchmark/benchmark_file"])
def test_the_shipped_schema_is_that_of_the_models(name):
    """If it differs: python -m converse_basicsr.options.schema > options/option_file.schema.json (or benchmark)."""
    from converse_basicsr.benchmark.schema import WrittenFile

    made = json_schema() if name == "option_file" else json_schema(WrittenFile)
    assert (REPOSITORY / f"options/{name}.schema.json").read_text(encoding="utf-8") == made


def test_the_schema_explains_its_keys():
    properties = json.loads(json_schema())["$defs"]["Train"]["properties"]
    assert properties["total_iter"] == {"description": "Number of iterations.", "minimum": 1, "type": "integer"}
