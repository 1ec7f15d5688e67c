"""RestorationModel's training step: a batch in parts, clipped gradients, mixed precision."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from tiny import options, write_images, write_options
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import converse_basicsr.archs
import converse_basicsr.data
import converse_basicsr.metrics
import converse_basicsr.models  # noqa: F401 (register)
from converse_basicsr.checks import check_run
from converse_basicsr.cli import main
from converse_basicsr.errors import UserError
from converse_basicsr.files.checkpoint import load_file
from converse_basicsr.files.journal import read_entries

from basicsr.archs import vgg_arch
from basicsr.models import build_model

SRRESNET = {"type": "ConverseSRResNet", "num_feat": 4, "num_block": 1, "upscale": 4}
USRNET = {"type": "ConverseUSRNet", "num_feat": 4, "num_block": 1, "num_iterations": 2, "num_embed": 2, "psf_size": 5}
CONVERSENET = {"type": "ConverseNet", "num_feat": 4, "num_block": 1, "num_iterations": 1}
DNCNN = {"type": "DnCNN", "num_in_ch": 3, "num_feat": 4, "num_layer": 3}
PERCEPTUAL = {
    "type": "PerceptualLoss",
    "layer_weights": {"conv1_1": 1.0, "conv2_1": 0.5},
    "style_weight": 2.0,
    "vgg_type": "vgg11",
}


@pytest.fixture(autouse=True)
def data(in_tmp):
    write_images(in_tmp / "data")


@pytest.fixture
def small_vgg(monkeypatch):
    """The first layers of a VGG network with random weights: the real ones would be downloaded."""

    def vgg11(pretrained):
        torch.manual_seed(2)
        layers = nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, padding=1)
        return SimpleNamespace(features=nn.Sequential(*layers))

    monkeypatch.setattr(vgg_arch.vgg, "vgg11", vgg11)


def built(network: dict = SRRESNET, scale: int = 4, device: int = 0, **changes):
    """A new model, always with the same weights, on the CPU or (device=1) on a GPU."""
    torch.manual_seed(0)
    opt = options(model_type="RestorationModel", scale=scale, network_g=network, **changes)
    return build_model({**opt, "is_train": True, "dist": False, "rank": 0, "world_size": 1, "num_gpu": device})


def batch(scale: int = 4, n: int = 4) -> dict:
    generator = torch.Generator().manual_seed(1)
    gt, lq = (torch.rand(n, 3, side, side, generator=generator) for side in (32, 32 // scale))
    kernel = torch.rand(n, 1, 5, 5, generator=generator)
    return {"gt": gt, "lq": lq, "kernel": kernel / kernel.sum((-2, -1), keepdim=True)}


def trained(model, data: dict, steps: int = 1):
    for iteration in range(1, steps + 1):
        model.feed_data(data)
        model.optimize_parameters(iteration)
    return model


def gradients(model) -> torch.Tensor:
    return torch.cat([parameter.grad.flatten() for parameter in model.net_g.parameters()])


def weights(model) -> torch.Tensor:
    return nn.utils.parameters_to_vector([*model.net_g.parameters(), *model.net_g_ema.parameters()])


# --- a batch in parts ---


@pytest.mark.parametrize("parts", [2, 3, 4, 9])
@pytest.mark.parametrize(
    "losses",
    [
        {},
        {"train__pixel_opt__reduction": "sum"},
        {"train__pixel_opt": {"type": "MSELoss", "loss_weight": 3.0}},
        {"train__perceptual_opt": PERCEPTUAL},
    ],
    ids=["mean", "sum", "MSE", "perceptual and style"],
)
def test_a_batch_in_parts_gives_the_gradient_of_the_batch(losses, parts, small_vgg):
    """3 parts are unequal; of more than there are samples, one sample each is left."""
    whole = trained(built(**losses), batch())
    split = trained(built(**losses, train__accum_iter=parts), batch())
    torch.testing.assert_close(gradients(split), gradients(whole), rtol=1e-5, atol=1e-6 * gradients(whole).abs().max())
    torch.testing.assert_close(split.output, whole.output)
    assert split.get_current_log() == pytest.approx(whole.get_current_log(), rel=1e-5)


def test_the_kernels_are_split_with_the_images():
    models = [trained(built(USRNET, 2, train__accum_iter=parts), batch(2)) for parts in (1, 3)]
    torch.testing.assert_close(gradients(models[0]), gradients(models[1]), rtol=1e-5, atol=1e-7)


def test_input_and_output_are_those_of_the_whole_batch():
    """Also with a degradation on the device."""
    changes = {"degradation": {"type": "GaussianNoise", "sigma": [0, 50]}, "network": CONVERSENET, "scale": 1}
    models = [built(**changes, train__accum_iter=parts) for parts in (1, 2)]
    data = {"gt": batch()["gt"], "sample_seed": torch.tensor([3, 4, 5, 6]), "gt_path": ["image"] * 4}
    for model in models:
        trained(model, data)
    assert torch.equal(models[0].lq, models[1].lq) and models[0].lq.shape == data["gt"].shape
    torch.testing.assert_close(models[0].output, models[1].output)


def test_gradients_are_shared_once_for_all_parts():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        model = built(train__accum_iter=3)
        shared = []

        def note(_, bucket):
            shared.append(bucket.index())
            future = torch.futures.Future()
            future.set_result(bucket.buffer())
            return future

        model.net_g = DistributedDataParallel(model.net_g)
        model.net_g.register_comm_hook(None, note)
        trained(model, batch())
        assert len(shared) == 1
        expected = trained(built(), batch())
        torch.testing.assert_close(gradients(model), gradients(expected), rtol=1e-5, atol=1e-7)
    finally:
        dist.destroy_process_group()


# --- clipped gradients ---


def test_a_limit_that_is_not_reached_changes_nothing():
    plain, limited = (trained(built(**changes), batch(), 3) for changes in ({}, {"train__clip_grad_norm": 1e9}))
    assert torch.equal(weights(plain), weights(limited))
    logged = limited.get_current_log()
    assert logged["grad_norm"] == pytest.approx(gradients(plain).norm().item()) and "grad_norm" not in plain.log_dict


@pytest.mark.parametrize("parts", [1, 2])
def test_gradients_are_clipped_to_the_limit(parts):
    """In parts too: the norm is that of the whole batch."""
    plain = trained(built(), batch())
    clipped = trained(built(train__clip_grad_norm=0.001, train__accum_iter=parts), batch())
    norm = gradients(plain).norm()
    assert norm > 0.002 and clipped.get_current_log()["grad_norm"] == pytest.approx(norm.item(), rel=1e-5)
    torch.testing.assert_close(gradients(clipped), gradients(plain) * (0.001 / norm), rtol=1e-3, atol=1e-7)


# --- mixed precision ---


class Precisions(TorchDispatchMode):
    """Notes the dtypes that operations get."""

    def __init__(self):
        super().__init__()
        self.dtypes: dict[str, set[torch.dtype]] = {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = {x.dtype for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor)}
        self.dtypes.setdefault(function.overloadpacket.__name__, set()).update(found)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_the_network_is_in_half_precision_and_the_operator_in_float32(amp):
    half = {"bf16": torch.bfloat16, "fp16": torch.float16}[amp]
    model = built(train__amp=amp)
    model.feed_data(batch())
    model.cri_pix.register_forward_pre_hook(lambda _, inputs: seen.extend(x.dtype for x in inputs))
    seen = []
    with Precisions() as precisions:
        model.optimize_parameters(1)
    assert half in precisions.dtypes["bmm"]
    spectral = {name: dtypes for name, dtypes in precisions.dtypes.items() if name.startswith("_fft")}
    assert spectral and all(dtypes <= {torch.float32, torch.complex64} for dtypes in spectral.values())
    assert set(seen) == {torch.float32} == {parameter.grad.dtype for parameter in model.net_g.parameters()}
    assert model.output.dtype == torch.float32


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
@pytest.mark.parametrize(("network", "scale"), [(SRRESNET, 4), (USRNET, 2), (DNCNN, 1)])
def test_half_precision_trains_like_float32(network, scale, amp):
    plain, half = (trained(built(network, scale, train__amp=value), batch(scale), 6) for value in (None, amp))
    first = trained(built(network, scale), batch(scale)).get_current_log()["l_pix"]
    losses = [model.get_current_log()["l_pix"] for model in (plain, half)]
    assert losses[0] < first and losses[1] < first
    assert losses[1] == pytest.approx(losses[0], rel=0.02) and losses[1] != losses[0]
    assert {parameter.dtype for parameter in half.net_g.parameters()} == {torch.float32}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("amp", ["bf16", "fp16"])
@pytest.mark.parametrize(("network", "scale"), [(SRRESNET, 4), (USRNET, 2)])
def test_half_precision_on_a_gpu_trains_like_float32(network, scale, amp):
    changes = {"train__accum_iter": 2, "train__clip_grad_norm": 1.0}
    models = [built(network, scale, device=1, train__amp=value, **changes) for value in (None, amp)]
    plain, half = (trained(model, batch(scale), 6).get_current_log()["l_pix"] for model in models)
    assert half == pytest.approx(plain, rel=0.02) and half != plain


def test_images_are_restored_in_float32():
    model = trained(built(train__amp="bf16"), batch())
    model.test()
    with torch.no_grad():
        assert torch.equal(model.output, model.net_g_ema(batch()["lq"]))


def test_parts_and_clipping_in_half_precision():
    changes = {"train__amp": "bf16", "train__clip_grad_norm": 0.001}
    whole, split = (trained(built(**changes, train__accum_iter=parts), batch()) for parts in (1, 2))
    torch.testing.assert_close(gradients(split), gradients(whole), rtol=0.05, atol=1e-5)
    assert gradients(split).norm() == pytest.approx(0.001, rel=1e-3)


# --- the scale of losses with fp16 ---


def test_the_scale_is_not_in_the_gradients():
    plain, scaled = (trained(built(train__amp=amp, train__clip_grad_norm=1e9), batch()) for amp in (None, "fp16"))
    logged = scaled.get_current_log()
    assert logged["loss_scale"] == 65536 and logged["l_pix"] == pytest.approx(plain.log_dict["l_pix"], rel=0.01)
    assert logged["grad_norm"] == pytest.approx(plain.log_dict["grad_norm"], rel=0.02)


def test_a_step_whose_gradients_are_not_finite_is_skipped():
    """The loss is so large that its gradients leave float16's range until the scale has fallen."""
    changes = {"train__amp": "fp16", "train__clip_grad_norm": 1.0, "train__pixel_opt__loss_weight": 3e3}
    model = built(**changes)
    before = weights(model)
    trained(model, batch())
    assert model.get_current_log().keys() == {"l_pix", "loss_scale"} and model.log_dict["loss_scale"] == 32768
    assert torch.equal(weights(model), before) and all(p.grad is None for p in model.net_g.parameters())
    trained(model, batch(), 10)
    assert "grad_norm" in model.log_dict and model.log_dict["loss_scale"] < 32768
    assert not torch.equal(weights(model), before) and weights(model).isfinite().all()


def train(*arguments: str, code: int = 0, total: int, **changes) -> None:
    scheduler = {**options()["train"]["scheduler"], "periods": [total]}
    changes |= {"train__total_iter": total, "train__scheduler": scheduler, "logger__save_checkpoint_freq": total}
    write_options(Path("tiny.yml"), model_type="RestorationModel", val=None, **changes)
    assert main(["train", "-opt", "tiny.yml", "--no_report", *arguments]) == code


@pytest.mark.filterwarnings("error")
def test_skipped_steps_are_in_the_log_and_not_on_the_terminal(capsys):
    train(total=10, train__amp="fp16", train__pixel_opt__loss_weight=3e3)
    printed = capsys.readouterr()
    assert "skipped" not in printed.out and "step            network in fp16" in printed.out
    log = next(Path("experiments/tiny").glob("*.log")).read_text()
    skipped = re.findall(r"iteration (\d+): the gradients are not finite, the step is skipped; loss_scale is now \S+ "
                         r"Files of this batch: data/HR/image\d.png, ", log)  # fmt: skip
    assert skipped[0] == "1" and len(skipped) < 10


def test_steps_that_are_skipped_without_end_end_the_run(capsys):
    """Infinite gradients at any scale."""
    train(code=2, total=60, train__amp="fp16", train__pixel_opt__loss_weight=1e18)
    error = capsys.readouterr().err.splitlines()[-1]
    assert "the training diverged at iteration 31: a gradient is not finite. Files of this batch: data/HR/" in error
    assert "A lower train:optim_g:lr, or train:amp: bf16 may help" in error
    assert read_entries(Path("experiments/tiny/journal.jsonl"))[-1]["iter"] == 31


def test_the_scale_is_continued():
    train(total=3, train__amp="fp16", train__pixel_opt__loss_weight=3e3)
    saved = load_file(Path("experiments/tiny/training_states/3.state"))["grad_scaler"]
    assert saved == {"scale": 65536 / 8, "_growth_tracker": 0}
    train("--auto_resume", total=4, train__amp="fp16", train__pixel_opt__loss_weight=3e3)
    entries = read_entries(Path("experiments/tiny/journal.jsonl"))
    scales = [entry["losses"]["loss_scale"] for entry in entries if "losses" in entry]
    assert scales == [65536 / 2**n for n in (1, 2, 3, 4)]


# --- options ---


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        *(
            ({"model_type": "SRModel", f"train__{key}": value}, f"train:{key}: SRModel ignores this option; "
                                                                "RestorationModel reads it")
            for key, value in (("amp", "bf16"), ("accum_iter", 2), ("clip_grad_norm", 1.0))
        ),
        ({"train__amp": False}, "train:amp: must be bf16, fp16 or ~, got False"),
        ({"train__accum_iter": 0}, "train:accum_iter: must be an integer of 1 or more, got 0"),
        ({"train__accum_iter": 3}, r"train:accum_iter: must be at most batch_size_per_gpu \(2\), got 3"),
        ({"train__clip_grad_norm": 0}, "train:clip_grad_norm: must be a number above 0, got 0"),
        (
            {"train__accum_iter": 2, "train__perceptual_opt": {**PERCEPTUAL, "criterion": "fro"}},
            "train:perceptual_opt:criterion: fro is a norm of the whole batch, which accum_iter divides; write l1",
        ),
    ],
)  # fmt: skip
def test_wrong_options_are_named(changes, message):
    with pytest.raises(UserError, match=message):
        check_run(options(**{"model_type": "RestorationModel", **changes}), is_train=True)


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"accum_iter": 2}, "accum_iter: the batch statistics of network_g are those of a part of a batch"),
        ({"amp": "bf16"}, "amp: bf16 is made for GPUs; many CPUs are several times slower with it"),
    ],
)
@pytest.mark.skipif(torch.cuda.is_available(), reason="the note is for a machine without a CUDA device")
def test_what_is_allowed_but_may_surprise_is_noted(changes, note, capsys):
    same_size = {f"datasets__{phase}__dataroot_lq": "data/HR" for phase in ("train", "val")}
    opt = options(model_type="RestorationModel", network_g=DNCNN, scale=1, **same_size)
    opt["train"].update(changes)
    check_run(opt, is_train=True)
    assert capsys.readouterr().err == f"basicsr: note: train:{note}\n"


def test_half_precision_needs_a_process_for_each_gpu():
    opt = options(model_type="RestorationModel", train__amp="bf16")
    with pytest.raises(UserError, match="train:amp: needs a process for each GPU .*, or num_gpu: 1"):
        build_model({**opt, "is_train": True, "dist": False, "rank": 0, "world_size": 1, "num_gpu": 2})


def test_what_a_step_does_is_shown(capsys):
    changes = {"train__amp": "bf16", "train__accum_iter": 2, "train__clip_grad_norm": 0.5}
    write_options(Path("tiny.yml"), model_type="RestorationModel", **changes)
    assert main(["check", "-opt", "tiny.yml"]) == 0
    printed = capsys.readouterr().out
    assert "network in bf16, the batch of a process in 2 parts, gradients clipped to norm 0.5\n" in printed
    assert re.search(r"iteration 1 +l_pix \S+, grad_norm \S+; losses, gradients and parameters are finite", printed)


def test_a_skipped_step_is_said_by_check(capsys):
    write_options(Path("tiny.yml"), model_type="RestorationModel", train__amp="fp16", train__pixel_opt__loss_weight=3e3)
    assert main(["check", "-opt", "tiny.yml"]) == 0
    assert "loss_scale 3.2768e+04; fp16: the step is skipped" in capsys.readouterr().out
