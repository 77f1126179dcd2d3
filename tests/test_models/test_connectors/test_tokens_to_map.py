"""TokensToMap: layout, extra tokens, guessing the grid and refusing to guess."""

import mmvitkd  # noqa: F401
from mmvitkd.models.connectors import TokensToMap
from mmvitkd.registry import MODELS

import pytest
import torch
from mmrazor.models.architectures.connectors.base_connector import BaseConnector


def _tokens(extra: int, height: int, width: int) -> torch.Tensor:
    """Two images; channel 0 counts the patches row by row, channel 1 is the image."""
    tokens = torch.full((2, extra + height * width, 3), -1.0)
    tokens[:, extra:, 0] = torch.arange(height * width)
    tokens[1, extra:, 1] = 1
    return tokens


def _is_laid_out(found: torch.Tensor, height: int, width: int) -> bool:
    wanted = torch.arange(height * width).reshape(height, width)
    return (
        found.shape == (2, 3, height, width)
        and bool((found[:, 0] == wanted).all())
        and bool((found[1, 1] == 1).all())
    )


@pytest.mark.parametrize('extra', [0, 1, 2, 5, 16])
@pytest.mark.parametrize(
    ('grid', 'size'), [(14, (14, 14)), ((3, 5), (3, 5)), ([5, 3], (5, 3)), (2, (2, 2))]
)
def test_with_a_grid(grid, size, extra):
    connector = MODELS.build(dict(type='mmvitkd.TokensToMap', grid=grid))
    assert isinstance(connector, BaseConnector)
    assert _is_laid_out(connector(_tokens(extra, *size)), *size)


@pytest.mark.parametrize('extra', [0, 1, 2, 5])
@pytest.mark.parametrize('side', [4, 7, 8, 14, 16, 24])
def test_finds_a_square_grid(side, extra):
    assert _is_laid_out(TokensToMap()(_tokens(extra, side, side)), side, side)


def test_the_map_is_a_view_with_a_gradient():
    tokens = _tokens(1, 4, 4).requires_grad_()
    found = TokensToMap()(tokens)
    assert found.data_ptr() == tokens[:, 1:].data_ptr()
    found.sum().backward()
    assert (tokens.grad[:, 1:] == 1).all()
    assert not tokens.grad[:, 0].any()


@pytest.mark.parametrize(
    ('count', 'reads'),
    [
        (203, 'no square grid'),  # 14 x 14 after 7
        (129, 'no square grid'),  # 8 x 16 and a class token
        (90, 'no square grid'),  # 9 x 10
        (9, '3 x 3 after 0 or 2 x 2 after 5'),
        (6, '2 x 2 after 2 or 1 x 1 after 5'),
    ],
)
def test_refuses_to_guess(count, reads):
    with pytest.raises(ValueError, match=rf'\(2, {count}, 3\).*{reads} .*set grid'):
        TokensToMap()(torch.zeros(2, count, 3))


@pytest.mark.parametrize('count', [195, 213, 257])
def test_a_grid_must_fit(count):
    message = rf'grid=\(14, 14\) has 196 places.* {count} tokens of \(2, {count}, 3\)'
    with pytest.raises(ValueError, match=message):
        TokensToMap(14)(torch.zeros(2, count, 3))


@pytest.mark.parametrize(
    ('feature', 'found'),
    [
        (torch.zeros(2, 197), r'\(2, 197\)'),
        (torch.zeros(1, 2, 3, 4, 5), r'\(1, 2, 3, 4, 5\)'),
        ([torch.zeros(2, 197, 3)], 'list'),
    ],
)
def test_the_input_is_tokens_or_a_map(feature, found):
    with pytest.raises(ValueError, match=rf'tokens \(B, L, C\).* found {found}'):
        TokensToMap()(feature)


def test_tokens_may_come_with_their_grid():
    tokens = torch.randn(2, 12, 5)
    feature = TokensToMap()((tokens, (3, 4)))
    assert feature.shape == (2, 5, 3, 4)
    assert torch.equal(feature[:, :, 1, 2], tokens[:, 6])


@pytest.mark.parametrize('grid', [None, 7])
def test_a_map_has_its_channels_first_or_last(grid):
    channels_first = torch.randn(2, 16, 7, 7)
    channels_last = channels_first.permute(0, 2, 3, 1).contiguous()
    assert torch.equal(TokensToMap(grid)(channels_first), channels_first)
    assert torch.equal(TokensToMap(grid)(channels_last), channels_first)


def test_a_map_that_is_not_square_needs_its_grid():
    channels_last = torch.randn(2, 3, 4, 16)
    with pytest.raises(ValueError, match=r'Cannot tell.*\(2, 3, 4, 16\); set grid'):
        TokensToMap()(channels_last)
    assert torch.equal(TokensToMap((3, 4))(channels_last), channels_last.permute(0, 3, 1, 2))


@pytest.mark.parametrize(('shape', 'grid'), [((2, 7, 7, 7), None), ((2, 16, 7, 7), 8)])
def test_a_map_is_not_guessed(shape, grid):
    with pytest.raises(ValueError, match='Cannot tell channels from grid'):
        TokensToMap(grid)(torch.zeros(shape))


@pytest.mark.parametrize('grid', [0, (14,), (0, 14), (14.0, 14), (2, 3, 4)])
def test_a_grid_is_one_or_two_positive_ints(grid):
    with pytest.raises(ValueError, match='grid must be a positive int or two of them'):
        TokensToMap(grid)


@pytest.mark.parametrize('grid', [None, 4, (4, 4)])
def test_any_number_of_extra_tokens_can_be_named(grid):
    tokens = torch.randn(2, 50 + 16, 8)
    feature = TokensToMap(grid, num_extra_tokens=50)(tokens)
    assert torch.equal(feature.flatten(2).transpose(1, 2), tokens[:, 50:])


@pytest.mark.parametrize('grid', [None, 4])
def test_a_number_of_extra_tokens_that_does_not_fit_is_named(grid):
    with pytest.raises(ValueError, match=r'67 tokens.*50 extra tokens.*num_extra_tokens'):
        TokensToMap(grid, num_extra_tokens=50)(torch.randn(2, 50 + 17, 8))
