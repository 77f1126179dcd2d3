"""PSNR and SSIM on the luma (Y) of RGB images, as super-resolution reports them."""

import numpy as np
from scipy.ndimage import gaussian_filter

# BT.601, as MATLAB's rgb2ycbcr: 16 for black, 235 for white.
LUMA = np.array([65.481, 128.553, 24.966]) / 255
BLACK = 16
# Of SSIM (Wang et al. 2004): a Gaussian window of 11 x 11 pixels, and what keeps a ratio of
# small numbers stable.
SIGMA, RADIUS = 1.5, 5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def luma(image: np.ndarray) -> np.ndarray:
    """Return the luma of an image, not rounded.

    Args:
        image: RGB, (H, W, 3), from 0 to 255.

    Returns:
        float64, (H, W), from 16 to 235.
    """
    out: np.ndarray = image @ LUMA + BLACK
    return out


def without_border(image: np.ndarray, border: int) -> np.ndarray:
    """Cut ``border`` pixels off each side of an image (H, W)."""
    return image[border : image.shape[0] - border, border : image.shape[1] - border]


def psnr(image: np.ndarray, reference: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio of two images of the range 0 to 255, in dB.

    It is infinite for equal images, as in BasicSR and scikit-image.
    """
    error = np.mean((image - reference) ** 2)
    return float('inf') if error == 0 else float(10 * np.log10(255**2 / error))


def ssim(image: np.ndarray, reference: np.ndarray) -> float:
    """Return the mean structural similarity of two images of the range 0 to 255.

    The mean is over the windows that lie wholly in the images (Wang et al. 2004).

    Args:
        image: float64, (H, W), at least 11 x 11.
        reference: The same.
    """

    def mean(x: np.ndarray) -> np.ndarray:
        return without_border(gaussian_filter(x, SIGMA, radius=RADIUS), RADIUS)

    x, y = mean(image), mean(reference)
    variance_x, variance_y = mean(image**2) - x**2, mean(reference**2) - y**2
    covariance = mean(image * reference) - x * y
    brightness = (2 * x * y + C1) / (x**2 + y**2 + C1)
    contrast = (2 * covariance + C2) / (variance_x + variance_y + C2)
    return float(np.mean(brightness * contrast))
