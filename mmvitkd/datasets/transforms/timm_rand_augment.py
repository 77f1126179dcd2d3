"""Apply timm's RandAugment in an MMPretrain pipeline."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image

from ...registry import TRANSFORMS


@TRANSFORMS.register_module()
class TimmRandAugment(BaseTransform):  # type: ignore[misc]  # mmcv is untyped
    """timm's RandAugment (arXiv 1909.13719), as in DeiT's recipe and the papers'.

    MMPretrain's ``RandAugment`` with ``policies='timm_increasing'`` draws the same
    operations with the same strengths, but computes some of them with OpenCV: it rotates,
    shears and translates with another bicubic kernel, shears about pixel corners instead of
    pixel centres, sharpens the image's border, and rounds where Pillow truncates.

    Draws from Python's and numpy's generators. Required and modified key: ``img``,
    (H, W, 3) uint8, BGR.

    Args:
        policy: timm's description: magnitude, its standard deviation, ``inc1`` for
            operations that grow with it, ``n2`` for the number of operations, ...
        fill_color: R, G and B where a geometric operation leaves pixels empty; by default the
            rounded mean of ImageNet, as in timm.
        interpolation: 'bicubic', 'bilinear' or another of timm's; 'random' draws one of
            the first two for each operation.

    Raises:
        ValueError: If the policy or the interpolation is unknown to timm.
    """

    def __init__(
        self,
        policy: str = 'rand-m9-mstd0.5-inc1',
        fill_color: Sequence[int] = (124, 116, 104),
        interpolation: str = 'bicubic',
    ) -> None:
        # Imported here: timm adds a tenth to the time of `import mmvitkd`.
        from timm.data.auto_augment import rand_augment_transform
        from timm.data.transforms import str_to_pil_interp

        self.policy = policy
        self.fill_color = tuple(fill_color)
        self.interpolation = interpolation
        hparams: dict[str, Any] = dict(img_mean=self.fill_color)
        try:
            if interpolation != 'random':
                hparams['interpolation'] = str_to_pil_interp(interpolation)
            self.augment = rand_augment_transform(policy, hparams)
        except (AssertionError, KeyError, ValueError) as error:
            raise ValueError(
                f'TimmRandAugment: policy={policy!r}, interpolation={interpolation!r}: timm '
                f"does not accept them; wanted for example 'rand-m9-mstd0.5-inc1' and "
                f"'bicubic'. ({type(error).__name__}: {error})"
            ) from error

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Augment the image.

        Raises:
            ValueError: If it is not uint8 with three channels.
        """
        image = results['img']
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(
                f'TimmRandAugment: the image is {image.dtype} of shape {image.shape}; '
                'wanted uint8, (H, W, 3).'
            )
        augmented = self.augment(Image.fromarray(_swap_channels(image)))
        results['img'] = _swap_channels(np.asarray(augmented))
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(policy={self.policy!r}, fill_color={self.fill_color}, '
            f'interpolation={self.interpolation!r})'
        )


def _swap_channels(image: np.ndarray) -> np.ndarray:
    """Convert BGR to RGB or back, contiguous."""
    if image.flags.c_contiguous:
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    # A flipped view, which OpenCV would first copy in a slow order.
    return np.ascontiguousarray(image[..., ::-1])
