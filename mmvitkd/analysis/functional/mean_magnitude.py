"""Mean magnitude of activations, or of gradients."""

from torch import Tensor

from .per_image import PerImage


class Magnitude(PerImage):
    """Mean ``|A_l|`` over channels and tokens (arXiv 2511.06848).

    Of a block's features it is the activation magnitude; of the gradient of the label's logit
    with respect to them, the gradient magnitude. As all images have the same number of tokens,
    the mean over images is that over everything.
    """

    def values_of(self, features: Tensor) -> Tensor:
        """Return the mean magnitude of each image, (b,)."""
        return features.double().abs().mean((1, 2))
