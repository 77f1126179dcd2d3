"""Patch tokens in the outputs of modules."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.features.patch_tokens import first_tensor, patch_features

import pytest
import torch

SQUARE, WIDE = (2, 3, 32, 32), (2, 3, 16, 48)


def patch_tokens(output, images, **known):
    return patch_features(output, images, **known).tokens


@pytest.mark.parametrize('extra', [0, 1, 5, 16])
def test_extra_tokens_are_those_in_front(extra):
    tokens = torch.randn(2, extra + 9, 5)
    found = patch_features(tokens, SQUARE, grid=(3, 3))
    assert torch.equal(found.tokens, tokens[:, extra:]) and found.grid == (3, 3)


def test_a_known_number_of_extra_tokens_leaves_no_choice():
    """9 tokens read as 3 x 3, or as 2 x 2 after 5."""
    tokens = torch.randn(2, 9, 5)
    for extra, side in ((0, 3), (5, 2)):
        found = patch_features(tokens, SQUARE, num_extra_tokens=extra)
        assert torch.equal(found.tokens, tokens[:, extra:]) and found.grid == (side, side)


def test_tokens_of_another_number_are_read_as_a_square_grid():
    tokens = torch.randn(2, 17, 5)
    for grid in (None, (8, 8), (0, 0)):
        assert torch.equal(patch_tokens(tokens, SQUARE, grid=grid), tokens[:, 1:])


@pytest.mark.parametrize('images', [WIDE, (2, 3, 32, 96)])
def test_a_map_row_by_row(images):
    tokens = torch.randn(2, 12, 5)
    last = tokens.reshape(2, 2, 6, 5)
    for output in (last, last.permute(0, 3, 1, 2), (last, torch.zeros(2, 5))):
        assert torch.equal(patch_tokens(output, images), tokens)


def test_a_map_with_as_many_channels_as_one_side():
    """(B, 2, 6, 6) with images three times as wide as high: 2 x 6 places, 6 channels."""
    tokens = torch.randn(2, 12, 6)
    assert torch.equal(patch_tokens(tokens.reshape(2, 2, 6, 6), WIDE), tokens)


def test_tokens_with_their_grid():
    tokens = torch.randn(2, 13, 5)
    assert torch.equal(patch_tokens((tokens, (2, 6)), WIDE), tokens[:, 1:])
    assert torch.equal(patch_tokens((tokens, (2, 6)), WIDE, grid=(2, 6)), tokens[:, 1:])


def test_a_tuple_of_tensors_is_led_by_the_tokens():
    """Lift's tokens and their mean, of two images: not tokens with their (H, W)."""
    tokens = torch.randn(2, 16, 5)
    assert torch.equal(patch_tokens((tokens, tokens.mean(1)), SQUARE), tokens)
    assert first_tensor((tokens, 0)) is tokens and first_tensor(tokens) is tokens
    assert first_tensor(()) is first_tensor([tokens]) is first_tensor(None) is None


@pytest.mark.parametrize(
    ('output', 'message'),
    [
        ([torch.randn(2, 16, 5)], 'found list, wanted tokens or a map of 2 images'),
        (torch.randn(32, 16, 5), r'found shape \(32, 16, 5\), wanted .* of 2 images'),
        (torch.randn(2, 5), r'found \(2, 5\)'),
        (torch.randn(2, 20, 20, 20), 'Cannot tell channels from grid'),
        (torch.randn(2, 9, 5), 'Cannot tell the token grid'),
    ],
)
def test_ambiguous_outputs_are_refused(output, message):
    with pytest.raises(ValueError, match=message):
        patch_tokens(output, SQUARE)
