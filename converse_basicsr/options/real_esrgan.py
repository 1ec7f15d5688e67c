"""The keys at the top level of an option file that Real-ESRGAN's models read."""

from pydantic import Field

from .kinds import Count, Probabilities, Probability, Range, Switch
from .section import Section


class HighOrderDegradation(Section):
    """Keys at the top level that RealESRNetModel and RealESRGANModel degrade by."""

    gt_usm: Switch | None = Field(None, description="Sharpen the ground truth.")
    resize_prob: Probabilities | None = Field(
        None, description="First pass: probabilities of enlarging, reducing, keeping."
    )
    resize_range: Range | None = Field(None, description="First pass: factors of the change of size.")
    gaussian_noise_prob: Probability | None = Field(
        None, description="First pass: probability of Gaussian noise; otherwise Poisson noise."
    )
    noise_range: Range | None = Field(
        None, description="First pass: standard deviations of Gaussian noise, on the 0-255 scale."
    )
    poisson_scale_range: Range | None = Field(None, description="First pass: scales of Poisson noise.")
    gray_noise_prob: Probability | None = Field(
        None, description="First pass: probability of equal noise in all channels."
    )
    jpeg_range: Range | None = Field(None, description="First pass: JPEG qualities.")
    second_blur_prob: Probability | None = Field(None, description="Probability of a second blur.")
    resize_prob2: Probabilities | None = Field(
        None, description="Second pass: probabilities of enlarging, reducing, keeping."
    )
    resize_range2: Range | None = Field(None, description="Second pass: factors of the change of size.")
    gaussian_noise_prob2: Probability | None = Field(
        None, description="Second pass: probability of Gaussian noise; otherwise Poisson noise."
    )
    noise_range2: Range | None = Field(
        None, description="Second pass: standard deviations of Gaussian noise, on the 0-255 scale."
    )
    poisson_scale_range2: Range | None = Field(None, description="Second pass: scales of Poisson noise.")
    gray_noise_prob2: Probability | None = Field(
        None, description="Second pass: probability of equal noise in all channels."
    )
    jpeg_range2: Range | None = Field(None, description="Second pass: JPEG qualities.")
    gt_size: Count | None = Field(None, description="Side of a training patch, in ground-truth pixels.")


class RealESRGAN(HighOrderDegradation):
    """All keys at the top level that RealESRNetModel and RealESRGANModel read."""

    high_order_degradation: Switch = Field(True, description="Degrade twice, as below.")
    queue_size: Count = Field(180, description="Size of the pool of training pairs; a multiple of the batch.")
    l1_gt_usm: Switch | None = Field(None, description="RealESRGANModel: sharpened ground truth for the pixel loss.")
    percep_gt_usm: Switch | None = Field(
        None, description="RealESRGANModel: sharpened ground truth for the perceptual loss."
    )
    gan_gt_usm: Switch | None = Field(
        None, description="RealESRGANModel: sharpened ground truth for the discriminator."
    )
