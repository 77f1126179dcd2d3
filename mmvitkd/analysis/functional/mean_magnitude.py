"""Measure the mean magnitude of activations, or of gradients."""

from torch import Tensor

from .per_image import PerImage


class Magnitude(PerImage):
    """Mean ``|A_l|`` over channels and tokens (arXiv 2511.06848).

    For a block's features it is the activation magnitude; for the gradient of the label's
    logit with respect to them, the gradient magnitude. All images have the same number of
    tokens, so the mean over images is the mean over all values.
    """

    def values_of(self, features: Tensor) -> Tensor:
        """Return the mean magnitude of each image, (b,)."""
        return features.double().abs().mean((1, 2))
