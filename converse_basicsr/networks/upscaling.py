"""Upsampling stages, shared by the super-resolution networks."""

STAGES = {2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}  # upscale: factor of each upsampler


def check_upscaling(upscale: int, num_in_ch: int, num_out_ch: int) -> None:
    """Raise ValueError if upscale has no stages, or the upsampled input cannot be added to the output."""
    if upscale not in STAGES:
        raise ValueError(f"upscale must be one of {', '.join(map(str, STAGES))}, got {upscale!r}")
    if num_in_ch not in (1, num_out_ch):
        raise ValueError(f"the skip needs num_in_ch 1 or num_out_ch ({num_out_ch}), got {num_in_ch}")
