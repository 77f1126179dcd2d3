"""The metric of a validation or a test: the mean PSNR and SSIM of its images."""

from collections.abc import Sequence
from typing import Any

from mmvitkd.utils.errors import KeyedValueError

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS
from torch import Tensor

from .luma_quality import RADIUS, luma, psnr, ssim, without_border


@METRICS.register_module()
class LumaQuality(BaseMetric):  # type: ignore[misc]  # MMEngine is untyped
    """Mean PSNR (dB) and SSIM over images, on their luma without a border.

    One image that equals its truth, as a black one may, makes the mean PSNR infinite, as in
    BasicSR. No later checkpoint is better then: leave such images out where ``save_best`` goes
    by PSNR, or let it go by SSIM.

    Args:
        crop_border: How many pixels are left out on each side of the large image. As released,
            4 at every scale; others leave out as many as the scale.
        kwargs: Arguments of MMEngine's ``BaseMetric``.

    Raises:
        KeyedValueError: If the border is negative, or leaves less of an image than the window
            of SSIM.
    """

    default_prefix = 'luma'

    def __init__(self, crop_border: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if crop_border < 0:
            raise KeyedValueError(
                f'{{crop_border}}={crop_border}: wanted an int of 0 or more.', 'crop_border'
            )
        self.crop_border = crop_border

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Add images: what ``SuperResolver`` predicts."""
        for sample in data_samples:
            pred, hr = (self._luma(sample[key], sample['name']) for key in ('pred', 'hr'))
            self.results.append((psnr(pred, hr), ssim(pred, hr)))

    def compute_metrics(self, results: list[tuple[float, float]]) -> dict[str, float]:
        """Return the means over all images."""
        means = np.mean(results, axis=0)
        return dict(psnr=float(means[0]), ssim=float(means[1]))

    def _luma(self, image: Tensor, name: str) -> np.ndarray:
        left = without_border(luma(image.cpu().numpy().transpose(1, 2, 0)), self.crop_border)
        if min(left.shape) <= 2 * RADIUS:
            size = f'{image.shape[1]} x {image.shape[2]}'
            raise KeyedValueError(
                f'{{crop_border}}={self.crop_border}: {name!r} has {size} pixels; wanted at '
                f'least {2 * RADIUS + 1} on each side without the border.',
                'crop_border',
            )
        return left
