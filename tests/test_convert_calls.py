"""What an example shows about how layers are called, and layers that therefore stay; models without weights."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from converse_basicsr import convert_depthwise, convert_upsampling
from converse_basicsr.errors import UserError

X = torch.rand(1, 4, 6, 5)
NOT_ALONE = "its input is not the result of an nn.Conv2d alone"
ELSEWHERE = "the result of its convolution is used elsewhere too"
CALLED_OTHERWISE = "it is called with more than its input, or with a keyword"


class Pair(nn.Module):
    """A convolution and an nn.PixelShuffle, called by a function of x and both."""

    def __init__(self, call):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(4, 16, 1), nn.PixelShuffle(2))
        self.call = call

    def forward(self, x):
        return self.call(x, *self.body)


def reused(x, conv, shuffle):
    y = conv(x)
    return shuffle(y) + y.mean()


def joined(x, conv, shuffle):
    y = conv(x)
    return shuffle(y), torch.cat([y, x], 1)


@pytest.mark.parametrize(("call", "reason"), [
    (lambda x, conv, shuffle: shuffle(conv(x)), None),
    (lambda x, conv, shuffle: shuffle(conv(x).relu()), NOT_ALONE),
    (lambda x, conv, shuffle: shuffle(F.relu(conv(x), inplace=True)), ELSEWHERE),
    (reused, ELSEWHERE),
    (joined, ELSEWHERE),
])  # fmt: skip
def test_neighbours_are_a_pair_only_if_the_example_shows_it(call, reason):
    model = Pair(call)
    report = convert_upsampling(model, example=X)
    assert [kept.reason for kept in report.kept] == ([] if reason is None else [reason])
    assert len(report.replaced) == (reason is None)


def test_an_activation_in_place_between_distant_layers():
    model = nn.Sequential(nn.Conv2d(4, 16, 1), nn.ReLU(inplace=True), nn.PixelShuffle(2))
    report = convert_upsampling(model, example=X)
    assert [str(kept) for kept in report.kept] == [f"2: {ELSEWHERE}"] and not report.replaced


class WithSize(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.other = nn.ConvTranspose2d(4, 4, 2, 2), nn.ConvTranspose2d(4, 4, 2, 2)

    def forward(self, x):
        return self.other(self.up(x, output_size=[2 * side for side in x.shape[-2:]]))


def test_a_layer_that_is_called_with_a_size_stays_and_others_do_not():
    report = convert_upsampling(WithSize(), example=X)
    assert [str(kept) for kept in report.kept] == [f"up: {CALLED_OTHERWISE}"]
    assert [replaced.name for replaced in report.replaced] == ["other"]


@pytest.mark.parametrize(("layer", "convert"), [
    (nn.ConvTranspose2d(4, 4, 2, 2), convert_upsampling),
    (nn.Conv2d(4, 4, 3, padding=1, groups=4), convert_depthwise),
])  # fmt: skip
def test_weights_that_are_not_finite_stay(layer, convert):
    with torch.no_grad():
        layer.weight[0] = torch.nan
    report = convert(nn.Sequential(layer))
    assert [str(kept) for kept in report.kept] == ["0: its weights are not finite"]


def test_a_model_on_the_meta_device_is_refused():
    with pytest.raises(UserError, match=r"0\.weight is on the meta device; swap layers when the model has its weights"):
        convert_upsampling(nn.Sequential(nn.ConvTranspose2d(4, 4, 2, 2, device="meta")))
