"""DnCNN: the baseline of Converse-DnCNN."""

from torch import Tensor, nn

from ..arguments import check_count, check_flag


class DnCNN(nn.Module):
    """3x3 convolutions, batch normalisation and ReLU; they predict the noise, which is subtracted from the input.

    Source: Zhang et al., "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image Denoising", IEEE TIP
    2017. The defaults have 557,057 parameters, as stated in the Converse2D paper.

    Args:
        num_in_ch (int): Channels of the input and output. Default: 1.
        num_feat (int): Channels of the features. Default: 64.
        num_layer (int): Number of convolutions, at least 2. Default: 17.
        batch_norm (bool): False leaves batch normalisation out, as in files of weights where it is part of the
            convolutions. Default: True.

    Shape: (N, num_in_ch, H, W) in [0, 1] -> (N, num_in_ch, H, W).
    """

    def __init__(self, num_in_ch: int = 1, num_feat: int = 64, num_layer: int = 17, batch_norm: bool = True):
        super().__init__()
        self.in_channels = num_in_ch
        self.scale = 1
        check_count("num_in_ch", num_in_ch)
        check_count("num_feat", num_feat)
        check_count("num_layer", num_layer, least=2)
        check_flag("batch_norm", batch_norm)
        layers = [nn.Conv2d(num_in_ch, num_feat, 3, padding=1), nn.ReLU(inplace=True)]
        for _ in range(num_layer - 2):
            norm = [nn.BatchNorm2d(num_feat)] if batch_norm else []
            layers += [nn.Conv2d(num_feat, num_feat, 3, padding=1), *norm, nn.ReLU(inplace=True)]
        self.body = nn.Sequential(*layers, nn.Conv2d(num_feat, num_in_ch, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return x - self.body(x)
