"""MATLAB's imresize: against sums written out, published weights, and identities."""

from math import ceil, floor

import numpy as np
import pytest

from projects.mdbn.mdbn.bicubic import enlarge_bicubic, round_to_8_bit, shrink


def keys(x):
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def resized_row(row, factor):
    """imresize of a list of numbers, as its documentation and source describe it: 1-based."""
    length, out = len(row), []
    stretch = min(factor, 1)
    for place in range(1, ceil(length * factor - 1e-9) + 1):
        centre = place / factor + 0.5 * (1 - 1 / factor)
        first = floor(centre - 2 / stretch)
        taps = range(first, first + ceil(4 / stretch) + 2)
        weights = [stretch * keys(stretch * (centre - tap)) for tap in taps]
        mirrored = [*range(1, length + 1), *range(length, 0, -1)]
        values = [row[mirrored[(tap - 1) % (2 * length)] - 1] for tap in taps]
        out.append(sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights))
    return out


def reference(image, factor):
    rows = [resized_row(list(row), factor) for row in image]
    return np.array([resized_row(list(column), factor) for column in zip(*rows, strict=True)]).T


@pytest.mark.parametrize('scale', [2, 3, 4])
@pytest.mark.parametrize('size', [(37, 23), (12, 25), (5, 7)])
def test_shrinking_odd_sizes(scale, size):
    image = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    expected = reference(image.astype(float), 1 / scale)
    found = shrink(image, scale)
    assert found.shape == expected.shape == tuple(ceil(side / scale) for side in size)
    assert np.abs(found - expected).max() < 1e-3


@pytest.mark.parametrize('scale', [2, 3, 4])
def test_enlarging(scale):
    image = np.random.default_rng(0).uniform(0, 255, (7, 5))
    assert np.abs(enlarge_bicubic(image, scale) - reference(image, scale)).max() < 1e-3


def test_half_the_size_has_the_known_weights():
    """MATLAB's, in 256ths: -3, -9, 29, 111, 111, 29, -9, -3."""
    image = np.zeros((4, 32))
    image[:, 15] = 256
    assert shrink(image, 2)[0, 4:12] == pytest.approx([0, 0, -9, 111, 29, -3, 0, 0])


def test_channels_are_resized_alike():
    image = np.random.default_rng(0).uniform(0, 255, (12, 9, 3))
    found = shrink(image, 3)
    assert found.shape == (4, 3, 3)
    assert np.array_equal(found[..., 1], shrink(image[..., 1], 3))


@pytest.mark.parametrize('resize', [shrink, enlarge_bicubic])
def test_a_constant_image_stays_constant(resize):
    assert resize(np.full((13, 8), 77.0), 3) == pytest.approx(77, abs=1e-10)


def test_values_are_rounded_half_up_and_clipped():
    assert round_to_8_bit(np.array([-3.0, 0.5, 1.5, 2.49, 300.0])).tolist() == [0, 1, 2, 2, 255]
