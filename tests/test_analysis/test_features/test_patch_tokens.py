"""Patch tokens from what modules hand over."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.features.patch_tokens import first_tensor, num_patches, patch_tokens

import pytest
import torch

SQUARE, WIDE = (2, 3, 32, 32), (2, 3, 16, 48)


@pytest.mark.parametrize('extra', [0, 1, 5, 16])
def test_extra_tokens_are_those_in_front(extra):
    tokens = torch.randn(2, extra + 9, 5)
    assert torch.equal(patch_tokens(tokens, SQUARE, 9), tokens[:, extra:])


def test_tokens_of_another_number_are_read_as_a_square_grid():
    tokens = torch.randn(2, 17, 5)
    for places in (None, 64, 0):
        assert torch.equal(patch_tokens(tokens, SQUARE, places), tokens[:, 1:])


@pytest.mark.parametrize('images', [WIDE, (2, 3, 32, 96)])
def test_a_map_row_by_row(images):
    tokens = torch.randn(2, 12, 5)
    last = tokens.reshape(2, 2, 6, 5)
    for output in (last, last.permute(0, 3, 1, 2), (last, torch.zeros(2, 5))):
        assert torch.equal(patch_tokens(output, images, None), tokens)


def test_a_map_with_as_many_channels_as_one_side():
    """(B, 2, 6, 6) with images three times as wide as high: 2 x 6 places, 6 channels."""
    tokens = torch.randn(2, 12, 6)
    assert torch.equal(patch_tokens(tokens.reshape(2, 2, 6, 6), WIDE, None), tokens)


def test_tokens_with_their_grid():
    tokens = torch.randn(2, 13, 5)
    assert torch.equal(patch_tokens((tokens, (2, 6)), WIDE, None), tokens[:, 1:])
    assert torch.equal(patch_tokens((tokens, (2, 6)), WIDE, 12), tokens[:, 1:])


def test_a_tuple_of_tensors_is_led_by_the_tokens():
    """Lift's tokens and their mean, of two images: not tokens with their (H, W)."""
    tokens = torch.randn(2, 16, 5)
    assert torch.equal(patch_tokens((tokens, tokens.mean(1)), SQUARE, None), tokens)
    assert first_tensor((tokens, 0)) is tokens and first_tensor(tokens) is tokens
    assert first_tensor(()) is first_tensor([tokens]) is first_tensor(None) is None


@pytest.mark.parametrize(
    ('output', 'message'),
    [
        ([torch.randn(2, 16, 5)], 'found list, wanted tokens or a map of 2 images'),
        (torch.randn(32, 16, 5), r'found first of all \(32, 16, 5\), wanted .* of 2 images'),
        (torch.randn(2, 5), r'found \(2, 5\)'),
        (torch.randn(2, 20, 20, 20), 'Cannot tell channels from grid'),
        (torch.randn(2, 9, 5), 'Cannot tell the token grid'),
    ],
)
def test_what_cannot_be_told(output, message):
    with pytest.raises(ValueError, match=message):
        patch_tokens(output, SQUARE, None)


@pytest.mark.parametrize(
    ('embedded', 'places'),
    [
        (torch.randn(2, 12, 5), 12),
        ((torch.randn(2, 12, 5), (2, 6)), 12),
        (torch.randn(2, 2, 6, 5), 12),
        (torch.randn(2, 5, 2, 6), 12),
        (torch.randn(2, 5, 5, 5), None),
        (None, None),
        (torch.randn(2, 12), None),
    ],
)
def test_the_number_of_patches(embedded, places):
    assert num_patches(embedded, WIDE) == places
