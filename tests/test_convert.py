"""convert_upsampling and convert_depthwise: how each layer starts, what stays and why, undo."""

import copy
import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from converse_basicsr import Converse2D, convert_depthwise, convert_upsampling, undo
from converse_basicsr.convert.start import needed_size
from converse_basicsr.errors import UserError

X = torch.randn(2, 4, 9, 7, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def convert_one(layer, **options):
    """The layer in an nn.Sequential, before and after; and the only entry of the report."""
    model = nn.Sequential(layer, nn.Identity())
    before = copy.deepcopy(model)
    report = convert_upsampling(model, **options)
    assert len(report.replaced) == 1 and report.kept == [], str(report)
    return before, model, report.replaced[0]


def check_trains(model, x=X):
    """Every parameter but lam, which a start of zero residual leaves alone for one step, has a gradient."""
    model(x).square().mean().backward()
    assert all(p.grad is not None for p in model.parameters())
    assert all(module.weight.grad.any() for module in model.modules() if isinstance(module, Converse2D))


@pytest.mark.parametrize(("scale", "kernel_size"), [(2, 2), (3, 2), (2, 3), (2, 5), (3, 3), (4, None)])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic"])
def test_nn_upsample_starts_exactly(mode, scale, kernel_size):
    layer = nn.Upsample(scale_factor=scale, mode=mode)
    before, model, replaced = convert_one(layer, kernel_size=kernel_size, example=X)
    up = model[0]
    assert isinstance(up, Converse2D) and up.kernel_size == (kernel_size or scale) and up.scale == scale
    torch.testing.assert_close(model(X), before(X), rtol=1e-5, atol=1e-5)
    assert replaced.exact and replaced.error <= 1e-5 and replaced.parameters == (0, 4 * up.kernel_size**2 + 4)
    if mode.startswith("nearest"):
        torch.testing.assert_close(up.weight.sum((-2, -1)), torch.ones(1, 4))
    check_trains(model)


@pytest.mark.parametrize("layer", [nn.UpsamplingNearest2d(scale_factor=2), nn.Upsample(scale_factor=(2, 2))])
def test_other_forms_of_nn_upsample(layer):
    assert convert_one(layer, example=X)[2].exact


@pytest.mark.parametrize("layer", [nn.UpsamplingBilinear2d(scale_factor=2), nn.Upsample(None, 2, "bicubic", True)])
def test_align_corners_is_near_and_the_report_says_by_how_much(layer):
    before, model, replaced = convert_one(layer, example=X)
    assert not replaced.exact and 0.01 < replaced.error < 0.5
    error = (model(X) - before(X)).detach().square().mean().sqrt() / before(X).square().mean().sqrt()
    assert replaced.error / 1.5 < error < replaced.error * 1.5
    assert f"start: prior, differs by {replaced.error:.2g}" in str(replaced)


def separable(in_channels, out_channels, kernel_size, groups=1, **options):
    """A transposed convolution with weights mix[i, o] * kernel[o]."""
    layer = nn.ConvTranspose2d(in_channels, out_channels, kernel_size, 2, groups=groups, **options)
    mix = torch.rand(in_channels, out_channels // groups, 1, 1) / 2
    kernels = torch.randn(groups, out_channels // groups, kernel_size, kernel_size)
    with torch.no_grad():
        layer.weight.copy_(mix * kernels.repeat_interleave(in_channels // groups, 0))
    return layer


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("channels", "groups"), [((4, 4), 1), ((4, 6), 1), ((4, 6), 2), ((4, 8), 4), ((4, 4), 4)])
def test_a_separable_transposed_convolution_starts_exactly(channels, groups, bias):
    before, model, replaced = convert_one(separable(*channels, 2, groups, bias=bias))
    assert replaced.exact and replaced.start == "weights"
    torch.testing.assert_close(model(X), before(X), rtol=1e-4, atol=1e-4)
    check_trains(model)
    assert (model[0].mix is None) == (channels == (4, 4) and groups == 4) if bias else True


@pytest.mark.parametrize(
    ("kernel_size", "options"), [(3, {"padding": 1, "output_padding": 1}), (4, {"padding": 1}), (2, {})]
)
@pytest.mark.parametrize("groups", [1, 4])
def test_a_separable_kernel_larger_than_the_factor_starts_near(kernel_size, options, groups):
    before, model, replaced = convert_one(separable(4, 4, kernel_size, groups, **options), kernel_size=None)
    assert replaced.start == "weights" and replaced.error < 0.04
    error = (model(X) - before(X)).abs().max() / before(X).abs().max()
    assert error < 0.05  # at the borders too
    check_trains(model)


def test_bilinear_weights_of_a_transposed_convolution_are_kept_nearly():
    layer = nn.ConvTranspose2d(4, 4, 4, 2, 1, groups=4, bias=False)
    taps = torch.tensor([0.25, 0.75, 0.75, 0.25])
    layer.weight.data.copy_(taps[:, None] * taps)
    assert convert_one(layer, kernel_size=4)[2].error < 0.02


@pytest.mark.parametrize("layer", [nn.ConvTranspose2d(4, 6, 2, 2), nn.ConvTranspose2d(4, 6, 4, 2, 1, groups=2)])
def test_other_transposed_convolutions_start_fresh_with_the_same_mean(layer):
    before, model, replaced = convert_one(layer)
    assert replaced.start == "fresh" and not replaced.exact and replaced.error > 0.1
    assert "start: fresh (its weights are not separable), differs by" in str(replaced)
    flat = torch.ones(1, 4, 8, 8)
    inside = (slice(None), slice(None), slice(4, 12), slice(4, 12))
    torch.testing.assert_close(model(flat)[inside].mean((-2, -1)), before(flat)[inside].mean((-2, -1)))
    check_trains(model)


def test_a_kernel_that_the_psf_cannot_hold_starts_fresh():
    replaced = convert_one(separable(4, 4, 4, padding=1), kernel_size=2)[2]
    assert (replaced.start, replaced.reason) == ("fresh", "a psf of 2 cannot hold its kernel of 4 x 4")


@pytest.mark.parametrize(("arguments", "size"), [((2, 0, 2), 2), ((3, 1, 2), 3), ((4, 1, 2), 4), ((5, 2, 2), 5)])
def test_needed_size_of_common_transposed_convolutions_is_their_kernel(arguments, size):
    assert needed_size(*arguments) == size


@pytest.mark.parametrize(("scale", "kernel_size"), [(2, 2), (3, 4)])
@pytest.mark.parametrize("groups", [1, 2])
def test_pixel_shuffle_with_icnr_weights_starts_exactly(scale, kernel_size, groups):
    conv = nn.Conv2d(4, 6 * scale**2, 3, padding=1, groups=groups)
    with torch.no_grad():
        conv.weight.copy_(conv.weight[:: scale**2].repeat_interleave(scale**2, 0))
        conv.bias.copy_(conv.bias[:: scale**2].repeat_interleave(scale**2, 0))
    model = nn.Sequential(conv, nn.PixelShuffle(scale), nn.Conv2d(6, 1, 1))
    before = copy.deepcopy(model)
    (replaced,) = convert_upsampling(model, kernel_size).replaced
    assert replaced.name == "0 + 1" and replaced.exact and isinstance(model[1], nn.Identity)
    assert model[0].mix.out_channels == 6 and replaced.parameters[1] < replaced.parameters[0] / 2
    torch.testing.assert_close(model(X), before(X), rtol=1e-4, atol=1e-5)
    check_trains(model)


def test_pixel_shuffle_with_other_weights_starts_as_the_mean_of_its_outputs():
    model = nn.Sequential(nn.Conv2d(4, 24, 3, padding=1), nn.PixelShuffle(2))
    before = copy.deepcopy(model)
    (replaced,) = convert_upsampling(model).replaced
    assert replaced.start == "fresh" and not replaced.exact
    torch.testing.assert_close(
        model(X), F.interpolate(F.avg_pool2d(before(X), 2), scale_factor=2.0), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (nn.Upsample(size=(8, 8)), "a fixed size"),
        (nn.Upsample(scale_factor=1.5), "factor 1.5"),
        (nn.Upsample(scale_factor=(2, 3)), "one integer of 2 or more is needed"),
        (nn.Upsample(scale_factor=2, mode="area"), "mode 'area'"),
        (nn.ConvTranspose2d(4, 4, 3), "stride 1"),
        (nn.ConvTranspose2d(4, 4, 3, 2), "its output is not 2 times its input"),
        (nn.ConvTranspose2d(4, 4, (2, 4), 2, (0, 1)), "height and width"),
        (nn.ConvTranspose2d(4, 4, 2, 2, dilation=2), "dilation"),
        (nn.utils.parametrizations.weight_norm(nn.ConvTranspose2d(4, 4, 2, 2)), "parametrised"),
        (type("Mine", (nn.ConvTranspose2d,), {"forward": lambda self, x: x})(4, 4, 2, 2), "a forward of its own"),
        (nn.PixelShuffle(2), "its input is not the result of an nn.Conv2d"),
    ],
)
def test_what_stays_and_why(layer, reason):
    model = nn.Sequential(nn.Identity(), layer)
    report = convert_upsampling(model, example=X)
    assert model[1] is layer and report.replaced == []
    assert [kept.name for kept in report.kept] == ["1"] and reason in report.kept[0].reason
    assert f"not replaced: 1\n  1: {report.kept[0].reason}" in str(report)


def test_the_example_is_needed_for_channels_and_for_distant_pairs():
    model = nn.ModuleDict({"up": nn.Upsample(scale_factor=2), "shuffle": nn.PixelShuffle(2)})
    reasons = [kept.reason for kept in convert_upsampling(model).kept]
    assert len(reasons) == 2 and all("give `example`" in reason for reason in reasons)


class Net(nn.Module):
    """One nn.PixelShuffle after two convolutions, and functions in forward."""

    def __init__(self, tapped=False):
        super().__init__()
        self.first, self.second = nn.Conv2d(4, 16, 3, padding=1), nn.Conv2d(4, 16, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)
        self.unused = nn.Upsample(scale_factor=2)
        self.tapped = tapped

    def forward(self, x):
        if self.tapped:
            self.second(x)
        x = self.shuffle(self.second(self.shuffle(self.first(x))))
        return x + F.interpolate(x[..., ::2, ::2], scale_factor=2)


def test_pairs_are_found_in_a_run_and_functions_are_named():
    model = Net()
    report = convert_upsampling(model, example=X)
    assert [replaced.name for replaced in report.replaced] == ["first + shuffle", "second + shuffle"]
    assert [str(kept) for kept in report.kept] == [
        "unused: the example does not reach it, so its number of channels is not known",
        "the model: Net calls F.interpolate, which is no layer",
    ]
    assert model(X).shape == (2, 4, 36, 28)
    undo(report)
    assert isinstance(model.shuffle, nn.PixelShuffle) and report.replaced == []


def test_a_pair_stays_if_its_convolution_is_used_elsewhere_or_left_out():
    report = convert_upsampling(Net(tapped=True), example=X, match=nn.PixelShuffle)
    assert [str(kept) for kept in report.kept] == ["shuffle: its convolution is used elsewhere too"]
    report = convert_upsampling(Net(), example=X, match="first")
    assert [str(kept) for kept in report.kept] == ["shuffle: it serves convolutions that `match` leaves out"]


def test_a_shared_layer_stays_shared_and_differing_channels_are_refused():
    up = nn.Upsample(scale_factor=2)
    model = nn.Sequential(up, up)
    report = convert_upsampling(model, example=X)
    assert model[0] is model[1] and report.replaced[0].name == "0, 1"
    undo(report)
    model = nn.Sequential(up, nn.Conv2d(4, 5, 1), up)
    assert "different numbers of channels (4, 5)" in convert_upsampling(model, example=X).kept[0].reason


def decoder():
    return nn.Sequential(nn.Upsample(scale_factor=2), nn.Sequential(nn.ConvTranspose2d(4, 4, 2, 2)))


@pytest.mark.parametrize(
    ("match", "names"),
    [
        (None, ["0", "1.0"]),
        (nn.Upsample, ["0"]),
        ("1.*", ["1.0"]),
        (lambda name, module: module.scale_factor == 2 if isinstance(module, nn.Upsample) else False, ["0"]),
        ([nn.ConvTranspose2d, "0"], ["0", "1.0"]),
    ],
)
def test_match(match, names):
    assert [x.name for x in convert_upsampling(decoder(), match=match, example=X).replaced] == names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"match": "2.*"}, "match '2.*' fits no layer that could be swapped; there are 0, 1.0"),
        ({"match": nn.PixelShuffle}, "match 'PixelShuffle' fits no layer"),
        ({"match": 3}, "match must be a type, a pattern of names, a callable or a list of these, got 3"),
        ({"kernel_size": 0}, "kernel_size must be an integer of 1 or more, or None, got 0"),
    ],
)
def test_errors_name_the_argument(options, message):
    with pytest.raises(UserError) as error:
        convert_upsampling(decoder(), **options)
    assert message in str(error.value)


def quantised():
    model = nn.Sequential(nn.ConvTranspose2d(4, 4, 2, 2), torch.ao.nn.quantized.FloatFunctional())
    return model


class Fused(nn.Sequential):
    def is_fused(self):
        return True


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("build", "what"),
    [
        (lambda: torch.jit.script(decoder()), "scripted or traced"),
        (lambda: nn.Sequential(torch.jit.trace(decoder(), X)), "scripted or traced"),
        (quantised, "quantised"),
        (lambda: torch.ao.nn.intrinsic.ConvReLU2d(nn.Conv2d(4, 4, 3), nn.ReLU()), "fused"),
        (lambda: Fused(nn.Upsample(scale_factor=2)), "fused"),
        (lambda: nn.DataParallel(decoder()), "wrapped"),
        (lambda: torch.compile(decoder(), backend="eager"), "wrapped or compiled"),
    ],
)
@pytest.mark.parametrize("convert", [convert_upsampling, convert_depthwise])
def test_models_that_cannot_be_changed_are_refused(convert, build, what):
    with pytest.raises(UserError, match=f"layers of a model that is {what}.*cannot be swapped"):
        convert(build())
    with pytest.raises(UserError, match="model must be a torch.nn.Module, got str"):
        convert("model.pth")


def test_a_model_that_fails_afterwards_is_as_before():
    class Strict(nn.Sequential):
        def forward(self, x):
            return super().forward(x) * self[0].mode.count("nearest")

    model = Strict(nn.Upsample(scale_factor=2))
    with pytest.raises(UserError, match="the model fails on the example, so it is as before: .*'mode'"):
        convert_upsampling(model, example=X)
    assert isinstance(model[0], nn.Upsample)


def test_undo_restores_the_results_and_refuses_a_model_that_changed():
    model = decoder()
    before, expected = copy.deepcopy(model), model(X)
    report = convert_upsampling(model, example=X)
    undo(report)
    assert torch.equal(model(X), expected) and model.state_dict().keys() == before.state_dict().keys()
    report = convert_upsampling(model, example=X)
    model[1][0] = nn.Identity()
    with pytest.raises(UserError, match="1.0 is no longer the layer that the conversion put there; nothing was undone"):
        undo(report)
    assert isinstance(model[0], Converse2D)


def test_flags_precision_and_attributes_follow():
    model = decoder().double().train()
    model[0].eval()
    model[0].f = -1
    convert_upsampling(model, example=X.double())
    assert model[0].f == -1 and not model[0].training and model[1][0].training
    assert {p.dtype for p in model.parameters()} == {torch.float64} and model(X.double()).dtype == torch.float64


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("bias", [True, False])
def test_depthwise_starts_near_its_weights(mode, bias):
    model = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, groups=4, padding_mode=mode, bias=bias), nn.Conv2d(4, 2, 1))
    before = copy.deepcopy(model)
    report = convert_depthwise(model)
    (replaced,) = report.replaced
    assert report.kept == [] and replaced.name == "0" and replaced.error < 0.05
    assert (model(X) - before(X)).abs().max() < 0.1 * before(X).abs().max()
    check_trains(model)
    undo(report)
    assert torch.equal(model(X), before(X))


def test_depthwise_starts_fresh_on_request():
    model = nn.Sequential(nn.Conv2d(4, 4, 5, padding="same", groups=4, bias=False))
    (replaced,) = convert_depthwise(model, start="fresh").replaced
    torch.testing.assert_close(model[0].weight.sum((-2, -1)), torch.ones(1, 4))
    assert replaced.start == "fresh" and not replaced.exact and not model[0].bias.any()
    with pytest.raises(UserError, match="start must be one of weights, fresh, got 'new'"):
        convert_depthwise(model, start="new")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"stride": 2, "padding": 1}, r"stride \(2, 2\)"),
        ({"dilation": 2, "padding": 2}, r"dilation \(2, 2\)"),
        ({"padding": 0}, r"padding \(0, 0\)"),
        ({"kernel_size": (3, 5), "padding": (1, 2)}, "kernel 3 x 5"),
        ({"kernel_size": 4, "padding": "same"}, "kernel 4 x 4"),
    ],
)
def test_depthwise_convolutions_that_stay(options, reason):
    model = nn.Sequential(nn.Conv2d(4, 4, **{"kernel_size": 3, **options}, groups=4))
    report = convert_depthwise(model)
    assert report.replaced == [] and re.search(reason, report.kept[0].reason)
