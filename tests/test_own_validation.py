"""Models of BasicSR with a validation of their own: video models, StyleGAN2Model."""

import pytest
import torch

from converse_basicsr.training.validation import measures_itself, own_results

from basicsr.models.edvr_model import EDVRModel
from basicsr.models.realesrgan_model import RealESRGANModel
from basicsr.models.sr_model import SRModel
from basicsr.models.stylegan2_model import StyleGAN2Model
from basicsr.models.swinir_model import SwinIRModel
from basicsr.models.video_recurrent_gan_model import VideoRecurrentGANModel


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (SRModel, False),
        (SwinIRModel, False),
        (RealESRGANModel, False),
        (EDVRModel, True),
        (VideoRecurrentGANModel, True),
        (StyleGAN2Model, True),
    ],
)
def test_models_that_measure_themselves(kind, expected):
    assert measures_itself(object.__new__(kind)) == expected


def test_results_of_a_video_model_are_means_over_folders():
    """Two folders of 2 and 1 frames, two metrics."""
    model = object.__new__(EDVRModel)
    model.metric_results = {"walk": torch.tensor([[30.0, 0.8], [32.0, 0.6]]), "city": torch.tensor([[25.0, 0.9]])}
    assert own_results(model, ["psnr", "ssim"]) == pytest.approx({"psnr": 28.0, "ssim": 0.8})


@pytest.mark.parametrize("results", [{}, {"fid": 12.5}])
def test_results_of_another_model_are_its_own(results):
    model = object.__new__(StyleGAN2Model)
    assert own_results(model, ["psnr"]) == {}
    model.metric_results = results
    assert own_results(model, ["psnr"]) == results
