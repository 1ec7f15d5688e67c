"""Swapped layers in networks that nobody here wrote: training, precision, copies, compiling, several processes."""

import copy
import multiprocessing
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from other_networks import NETWORKS, SWAPPED, needs_torchvision
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils._pytree import tree_leaves

from converse_basicsr import Converse2D, convert_depthwise, convert_upsampling, undo

FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(["torch.distributed", "converse_basicsr.convert"])


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def loss_of(model, x):
    return sum(leaf.square().mean() for leaf in tree_leaves(model(x)))


def converted(name, seed=0, **options):
    torch.manual_seed(seed)
    case = NETWORKS[name]
    model = case.build()
    report = convert_upsampling(model, example=case.example(), **options)
    return model, case.example(), report


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_replaced_and_what_is_not(name):
    case = NETWORKS[name]
    model = case.build().eval()
    x = case.example()
    before = [leaf.detach() for leaf in tree_leaves(model(x))]
    report = convert_upsampling(model, example=x)
    assert tuple(replaced.name for replaced in report.replaced) == case.replaced
    assert tuple(map(str, report.kept)) == case.kept
    assert sum(isinstance(module, Converse2D) for module in model.modules()) == len(case.replaced)
    after = tree_leaves(model(x))
    assert [leaf.shape for leaf in before] == [leaf.shape for leaf in after]
    undo(report)
    for leaf, restored in zip(before, tree_leaves(model(x)), strict=True):
        assert torch.equal(leaf, restored)


@pytest.mark.parametrize("name", SWAPPED)
def test_trains_in_both_precisions_and_survives_copies(name):
    model, x, report = converted(name)
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3)
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss = loss_of(model, x)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        assert loss.isfinite()
    new = [module for replaced in report.replaced for module in replaced.after.modules()]
    assert all(module.weight.grad.any() for module in new if isinstance(module, (Converse2D, nn.Conv2d)))

    model.eval()
    expected = tree_leaves(model(x))
    assert all(map(torch.equal, tree_leaves(copy.deepcopy(model)(x)), expected))
    other = converted(name, seed=1)[0].eval()  # built and converted in the same way, with other weights
    other.load_state_dict(model.state_dict())
    assert all(map(torch.equal, tree_leaves(other(x)), expected))
    channels_last = copy.deepcopy(model).to(memory_format=torch.channels_last)
    for leaf, same in zip(tree_leaves(channels_last(x.to(memory_format=torch.channels_last))), expected, strict=True):
        torch.testing.assert_close(leaf, same, rtol=1e-4, atol=1e-5)


def test_a_state_dict_fits_whatever_the_old_weights_were():
    """A start from separable weights and a fresh one have the same structure."""
    models = []
    for fill in (lambda weight: weight.fill_(0.3), lambda weight: weight.normal_()):
        model = nn.Sequential(nn.ConvTranspose2d(4, 6, 4, 2, 1), nn.Conv2d(6, 12, 1), nn.PixelShuffle(2))
        with torch.no_grad():
            [fill(parameter) for parameter in model.parameters()]
        report = convert_upsampling(model, kernel_size=None)
        models.append((model, [replaced.start for replaced in report.replaced]))
    (first, start), (second, fresh) = models
    assert start == ["weights", "weights"] and fresh == ["fresh", "fresh"]
    second.load_state_dict(first.state_dict())
    x = torch.rand(1, 4, 6, 6)
    assert torch.equal(first(x), second(x))


@pytest.mark.filterwarnings("ignore")  # of the compiler
@pytest.mark.parametrize("name", ["monai UNet", "BasicSR EDSR"])
def test_compiles_into_one_graph(name):
    model, x, _ = converted(name)
    torch.compiler.reset()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    results = []
    for call in (model, compiled):
        model.zero_grad()
        loss = loss_of(call, x)
        loss.backward()
        results.append([loss.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)])
    torch.compiler.reset()
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


class TinyBackbone(nn.Sequential):
    out_channels = 8

    def __init__(self):
        super().__init__(nn.Conv2d(3, 8, 3, 4, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 4, 1))


def keypoint_rcnn() -> nn.Module:
    """torchvision's KeypointRCNN with few channels and a backbone of two convolutions."""
    from torchvision.models.detection import keypoint_rcnn as heads
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
    from torchvision.models.detection.rpn import AnchorGenerator
    from torchvision.ops import MultiScaleRoIAlign

    return heads.KeypointRCNN(
        TinyBackbone(),
        min_size=64,
        max_size=64,
        rpn_anchor_generator=AnchorGenerator(((16, 32),), ((1.0,),)),
        box_roi_pool=MultiScaleRoIAlign(["0"], 7, 2),
        box_head=TwoMLPHead(8 * 49, 16),
        box_predictor=FastRCNNPredictor(16, 2),
        box_score_thresh=0.0,
        box_detections_per_img=3,
        keypoint_roi_pool=MultiScaleRoIAlign(["0"], 14, 2),
        keypoint_head=heads.KeypointRCNNHeads(8, (8,)),
        keypoint_predictor=heads.KeypointRCNNPredictor(8, 3),
    )


def test_a_detector_takes_a_list_of_images_and_trains():
    needs_torchvision()
    import torchvision

    try:
        torchvision.ops.nms(torch.rand(1, 4), torch.rand(1), 0.5)
    except (RuntimeError, AttributeError) as error:
        pytest.skip(f"torchvision's operators do not load beside this torch: {str(error).partition('.')[0]}")
    model, images = keypoint_rcnn(), [torch.rand(3, 64, 64), torch.rand(3, 48, 64)]
    report = convert_upsampling(model, example=(images,))
    assert [replaced.name for replaced in report.replaced] == ["roi_heads.keypoint_predictor.kps_score_lowres"]
    target = {
        "boxes": torch.tensor([[4.0, 4.0, 40.0, 40.0]]),
        "labels": torch.tensor([1]),
        "keypoints": torch.tensor([[[8.0, 8.0, 1.0], [20.0, 12.0, 1.0], [30.0, 30.0, 1.0]]]),
    }
    losses = model.train()(images, [target, target])
    sum(losses.values()).backward()
    assert losses["loss_keypoint"].isfinite() and report.replaced[0].after.up.weight.grad.any()
    assert model.eval()(images)[0]["keypoints"].shape[1:] == (3, 3)


def test_depthwise_convolutions_of_mobilenet():
    needs_torchvision()
    from torchvision.models import mobilenet_v2

    model = mobilenet_v2(width_mult=0.1).eval()
    x = torch.rand(2, 3, 32, 32)
    before = model(x)
    report = convert_depthwise(model, match="features.1?.*")
    assert len(report.replaced) == 7 and len(report.kept) == 1 and "stride (2, 2)" in report.kept[0].reason
    assert all(replaced.error < 0.05 for replaced in report.replaced)
    torch.testing.assert_close(model(x), before, rtol=0, atol=0.05 * float(before.detach().abs().max()))
    model.train()(x).square().mean().backward()
    undo(report)
    assert not any(isinstance(module, Converse2D) for module in model.modules())


def gradients_on_a_rank(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    store = dist.FileStore(str(folder / "store"), 2)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=2)
    model, x = small_network(seed=rank)
    parallel = DistributedDataParallel(model)
    loss_of(parallel, x[rank : rank + 1]).backward()
    torch.save([parameter.grad for parameter in model.parameters()], folder / f"{rank}.pth")
    dist.destroy_process_group()


def small_network(seed: int) -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(seed)
    layers = nn.Upsample(scale_factor=2), nn.ConvTranspose2d(3, 4, 2, 2), nn.Conv2d(4, 8, 1), nn.PixelShuffle(2)
    model, x = nn.Sequential(*layers), torch.rand(2, 3, 5, 5, generator=torch.Generator().manual_seed(2))
    convert_upsampling(model, example=x)
    return model, x


def test_two_processes_have_the_gradients_of_one(tmp_path):
    workers = [FORK.Process(target=gradients_on_a_rank, args=(rank, tmp_path)) for rank in range(2)]
    [worker.start() for worker in workers]
    [worker.join(60) for worker in workers]
    assert [worker.exitcode for worker in workers] == [0, 0]
    model, x = small_network(seed=0)  # the weights of rank 0, which both get
    loss_of(model, x).backward()
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pth", weights_only=True)
        for parameter, grad in zip(model.parameters(), found, strict=True):
            torch.testing.assert_close(grad, parameter.grad, rtol=1e-4, atol=1e-6)
