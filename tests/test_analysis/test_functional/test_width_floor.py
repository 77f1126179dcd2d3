"""The floor of a width: equal to numpy's eigenvalues, and to what optimised codes reach."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.width_floor import (
    WidthFloor,
    pooling_loss,
    smallest_width,
    width_floor,
)
from mmvitkd.models.losses import align
from mmvitkd.models.utils.features import Features

import numpy as np
import pytest
import torch

TARGETS = ('raw', 'centred', 'standardised')


def tokens_of(num_images=12, num_tokens=20, width=24, mean=3.0):
    """Tokens with a falling spectrum in rotated channels, a mean, and a constant channel."""
    spread = torch.linspace(2, -2, width, dtype=torch.float64).exp()
    rotation = torch.linalg.qr(torch.randn(width, width, dtype=torch.float64)).Q
    tokens = torch.randn(num_images, num_tokens, width, dtype=torch.float64) * spread
    tokens = tokens @ rotation + mean * torch.randn(width, dtype=torch.float64)
    tokens[..., 5] = 0.25
    return tokens


def measured(tokens, *sizes):
    floor = WidthFloor()
    for part in tokens.split(list(sizes) or [len(tokens)]):
        floor.update(part)
    return floor


def as_target(rows, of, target):
    """Rows as a target, by the statistics of others; in numpy."""
    if target == 'raw':
        return rows
    rows, std = rows - of.mean(0), of.std(0)
    return rows / np.where(std > 1e-6, std, 1) if target == 'standardised' else rows


def naive_floor(fit, test, target, bias=True):
    """Project on the first w principal directions, one width after the other."""
    test, fit = as_target(test, fit, target), as_target(fit, fit, target)
    origin = fit.mean(0) if bias else 0 * fit.mean(0)
    _, vectors = np.linalg.eigh((fit - origin).T @ (fit - origin))
    found = []
    for width in range(fit.shape[1] + 1):
        kept = vectors[:, fit.shape[1] - width :]
        rest = test - origin - (test - origin) @ kept @ kept.T
        found.append((rest**2).sum() / (test**2).sum())
    return np.array(found)


def rows_of(tokens):
    return tokens.flatten(0, 1).numpy()


@pytest.mark.parametrize('target', TARGETS)
def test_in_sample_it_is_the_tail_of_the_eigenvalues(target):
    tokens = tokens_of()
    rows = as_target(rows_of(tokens), rows_of(tokens), target)
    eigenvalues = np.linalg.eigvalsh(np.cov(rows.T, bias=True))[::-1]
    tails = [eigenvalues[width:].sum() for width in range(25)] / (rows**2).sum(1).mean()
    found = width_floor(measured(tokens, 5, 1, 6).whole, target)
    np.testing.assert_allclose(found, tails, rtol=0, atol=1e-9)
    assert found[10] > 1e-3  # far above what is compared


@pytest.mark.parametrize('target', TARGETS)
def test_held_out_it_is_the_error_in_the_basis_of_the_other_images(target):
    tokens = tokens_of()
    even, odd = rows_of(tokens[::2]), rows_of(tokens[1::2])
    found = measured(tokens, 3, 4, 5).result()[target]
    wanted = naive_floor(even, odd, target)
    np.testing.assert_allclose(found['held_out'], wanted, rtol=0, atol=1e-9)
    whole = naive_floor(rows_of(tokens), rows_of(tokens), target)
    np.testing.assert_allclose(found['in_sample'], whole, rtol=0, atol=1e-9)
    assert found['held_out'][10] > found['in_sample'][10]


@pytest.mark.parametrize('target', TARGETS)
def test_without_bias_the_set_contains_the_origin(target):
    tokens = tokens_of()
    rows = rows_of(tokens)
    moments = measured(tokens).whole
    without = width_floor(moments, target, bias=False)
    np.testing.assert_allclose(without, naive_floor(rows, rows, target, False), atol=1e-9)
    with_bias = width_floor(moments, target)
    slack = 1e-12
    assert (with_bias <= without + slack).all()
    assert (without[1:] <= with_bias[:-1] + slack).all()
    same = np.allclose(with_bias, without, atol=1e-9)
    assert same == (target != 'raw')  # whose mean is not 0


def test_the_places_say_which_half_an_image_is_of():
    tokens = tokens_of(6)
    floor = WidthFloor()
    floor.update(tokens, [4, 0, 2, 1, 3, 5])
    even, odd = floor.halves
    assert torch.allclose(even.mean, tokens[:3].mean((0, 1)))
    assert torch.allclose(odd.mean, tokens[3:].mean((0, 1)))


@pytest.mark.parametrize('width', [1, 7, 12, 23, 24])
def test_pooling_discards_what_the_loss_does_not_see(width):
    tokens = tokens_of()
    student = Features(torch.zeros(12, 20, width), (4, 5))
    _, pooled = align(student, Features(tokens, (4, 5)))
    rows, seen = rows_of(tokens), rows_of(pooled.tokens.double())
    # The part of each token that no combination of pooling windows has.
    windows = np.linalg.lstsq(rows, seen, rcond=None)[0]
    basis = np.linalg.svd(windows, full_matrices=False)[0]
    rest = rows - rows @ basis @ basis.T
    moments = measured(tokens).whole
    wanted = (rest**2).sum() / (rows**2).sum()
    assert pooling_loss(moments, width) == pytest.approx(wanted, abs=1e-5)
    floor = width_floor(moments, bias=False)[width]
    assert pooling_loss(moments, width) >= floor - 1e-9


def test_pooling_to_half_the_width_takes_means_of_two():
    tokens = tokens_of()
    rows = rows_of(tokens)
    centred = rows - rows.mean(0)
    means = centred.reshape(-1, 12, 2).mean(2).repeat(2, 1)
    wanted = ((centred - means) ** 2).sum() / (centred**2).sum()
    found = measured(tokens).result([12])['centred']['pooled']
    assert found == {'12': pytest.approx(wanted, abs=1e-9)}


def test_mean_token_largest_channels_and_norms():
    tokens = tokens_of(width=150)
    tokens[..., 7] += 100
    tokens[..., 9] *= 40
    found, rows = measured(tokens, 5, 7).result(), rows_of(tokens)
    energy = (rows**2).mean(0)
    assert found['mean_share'] == pytest.approx((rows.mean(0) ** 2).sum() / energy.sum())
    largest = found['largest']
    assert set(largest['channels']) == set(np.argsort(energy)[-2:])
    assert largest['energy'] == pytest.approx(np.sort(energy)[-2:].sum() / energy.sum())
    variance = rows.var(0)
    assert largest['variance'] == pytest.approx(np.sort(variance)[-2:].sum() / variance.sum())
    norms = np.linalg.norm(rows, axis=1)
    assert found['token_norm'] == pytest.approx(
        dict(mean=norms.mean(), std=norms.std(), layer_norm=150**0.5)
    )


def test_with_too_few_tokens_there_is_no_held_out_floor():
    few = measured(tokens_of(num_images=5, num_tokens=10, width=24)).result()
    assert few['raw']['held_out'] is None and few['raw']['in_sample'][0] > 0.1
    assert few['images_needed'] == 6  # of 10 tokens each, for 25 in each half
    enough = measured(tokens_of(num_images=6, num_tokens=10, width=24)).result()
    assert enough['images_needed'] == 0 and enough['raw']['held_out'] is not None


def test_constant_features_have_nothing_to_distil():
    floor = WidthFloor()
    floor.update(torch.full((4, 20, 8), 3.7))
    with pytest.raises(ValueError, match='all 80 tokens are the same in all 8 channels'):
        floor.result()


def test_nothing_measured():
    with pytest.raises(ValueError, match='nothing measured'):
        WidthFloor().result()


def test_an_unknown_target_and_a_width_out_of_range():
    moments = measured(tokens_of()).whole
    with pytest.raises(ValueError, match="target='whitened': wanted one of"):
        width_floor(moments, 'whitened')
    with pytest.raises(ValueError, match='width=25: wanted 1 to 24'):
        pooling_loss(moments, 25)


def test_the_smallest_width_of_a_floor():
    assert smallest_width([1.0, 0.3, 0.01, 0.0], 0.05) == 2
    assert smallest_width([1.0, 0.3, 1e-17], 0.0) == 2
