"""PatchTokens: the input of a loss, from tokens and from maps."""

import mmvitkd  # noqa: F401
from mmvitkd.models.connectors import PatchTokens, TokensToMap
from mmvitkd.models.utils.features import Features, features_of_map
from mmvitkd.registry import MODELS

import pytest
import torch

TOKENS = torch.randn(2, 12, 5)
WITH_CLASS = torch.cat([torch.randn(2, 1, 5), TOKENS], 1)
MAP = TOKENS.unflatten(1, (3, 4))


@pytest.mark.parametrize(
    'output',
    [
        TOKENS,
        WITH_CLASS,
        (WITH_CLASS, (3, 4)),
        (WITH_CLASS, torch.Size((3, 4))),
        MAP,
        MAP.permute(0, 3, 1, 2),
        Features(TOKENS, (3, 4)),
    ],
    ids=['tokens', 'class token', 'with grid', 'with Size', 'last', 'first', 'features'],
)
def test_patch_tokens_with_their_grid(output):
    connector = MODELS.build(dict(type='mmvitkd.PatchTokens', grid=(3, 4)))
    found = connector(output)
    assert torch.equal(found.tokens, TOKENS) and found.grid == (3, 4)
    source = output[0] if isinstance(output, tuple) else output
    assert found.tokens.untyped_storage().data_ptr() == source.untyped_storage().data_ptr()


def test_a_known_number_of_extra_tokens_finds_any_square_grid():
    connector = PatchTokens(num_extra_tokens=5)
    for side in (1, 2, 7):
        tokens = torch.randn(2, 5 + side * side, 3)
        found = connector(tokens)
        assert torch.equal(found.tokens, tokens[:, 5:]) and found.grid == (side, side)
    with pytest.raises(ValueError, match=r'grid=\(3, 3\) .* 16 tokens .* 5 extra'):
        connector(torch.randn(2, 16, 3))


def test_the_map_of_features_is_tokens_to_maps():
    wanted = TokensToMap((3, 4))(WITH_CLASS)
    found = PatchTokens((3, 4))(WITH_CLASS)
    assert torch.equal(found.to_map(), wanted)
    assert torch.equal(features_of_map(wanted).tokens, found.tokens)


def test_of_several_tensors_the_first_counts():
    """A remedy's neck returns its tokens and their mean, which is no grid."""
    found = PatchTokens((3, 4))((TOKENS, TOKENS.mean(1)))
    assert torch.equal(found.tokens, TOKENS) and found.grid == (3, 4)


EMBEDDING = TOKENS.mean(1)


@pytest.mark.parametrize(
    ('pool', 'output', 'wanted'),
    [
        ('cls', WITH_CLASS, WITH_CLASS[:, 0]),
        ('mean', WITH_CLASS, EMBEDDING),
        ('mean', TOKENS.transpose(1, 2).unflatten(2, (3, 4)), EMBEDDING),
        ('cls', EMBEDDING, EMBEDDING),
        ('mean', (TOKENS, EMBEDDING), EMBEDDING),  # a remedy's neck
        ('cls', ((EMBEDDING, EMBEDDING + 1),), EMBEDDING),  # DeiT's two tokens
    ],
    ids=['class token', 'mean', 'map', 'given', 'last', 'two tokens'],
)
def test_an_embedding_is_one_token(pool, output, wanted):
    found = PatchTokens(num_extra_tokens=1, pool=pool)(output)
    assert found.grid == (1, 1)
    torch.testing.assert_close(found.tokens, wanted.unsqueeze(1))


def test_what_has_no_embedding():
    with pytest.raises(ValueError, match=r'wanted an embedding .* found \(5,\)'):
        PatchTokens(pool='cls')(torch.zeros(5))
    with pytest.raises(ValueError, match=r"pool='max' is none of \[None, 'cls', 'mean'\]"):
        PatchTokens(pool='max')
