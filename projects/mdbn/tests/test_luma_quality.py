"""PSNR and SSIM on Y: against scikit-image, and windows written out."""

import numpy as np
import pytest
from skimage import data
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from projects.mdbn.mdbn.luma_quality import luma, psnr, ssim, without_border


@pytest.fixture
def pair():
    """A photograph and a noisy version: the luma without 4 pixels on each side."""
    image = data.astronaut()[100:221, 150:247]
    noise = np.random.default_rng(0).normal(0, 12, image.shape)
    noisy = np.clip(image + noise, 0, 255).round().astype(np.uint8)
    return tuple(without_border(luma(each), 4) for each in (noisy, image))


def test_luma_is_that_of_matlab():
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    assert luma(image) == pytest.approx(rgb2ycbcr(image)[..., 0], abs=1e-9)
    assert luma(np.array([[[255, 255, 255], [0, 0, 0]]])) == pytest.approx(
        np.array([[235.0, 16.0]])
    )


def test_psnr_and_ssim_equal_those_of_scikit_image(pair):
    assert psnr(*pair) == pytest.approx(
        peak_signal_noise_ratio(*pair[::-1], data_range=255), abs=1e-4
    )
    expected = structural_similarity(
        *pair, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(*pair) == pytest.approx(expected, abs=1e-4)


def test_ssim_of_a_single_window_written_out(pair):
    x, y = (each[:11, :11] for each in pair)
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / np.outer(line, line).sum()
    mean_x, mean_y = (window * x).sum(), (window * y).sum()
    var_x, var_y = (window * (x - mean_x) ** 2).sum(), (window * (y - mean_y) ** 2).sum()
    covariance = (window * (x - mean_x) * (y - mean_y)).sum()
    expected = (2 * mean_x * mean_y + 6.5025) * (2 * covariance + 58.5225)
    expected /= (mean_x**2 + mean_y**2 + 6.5025) * (var_x + var_y + 58.5225)
    assert ssim(x, y) == pytest.approx(expected, abs=1e-9)


def test_equal_images(pair):
    assert psnr(pair[0], pair[0]) == float('inf') and ssim(pair[0], pair[0]) == 1
