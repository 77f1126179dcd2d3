"""What an embedding and features are, in numbers and in words."""

import mmvitkd  # noqa: F401
from mmvitkd.export.encoding import encoding_of

import pytest

NORM = 'after the final norm'
LIFTED = 'projected by the LiftProjector'
MEAN = 'the mean of the features'


@pytest.mark.parametrize(
    ('kind', 'parts', 'width', 'words'),
    [
        ('ours', {}, 16, (f'the class token {NORM}', f'the patch tokens {NORM}')),
        ('widelast', {}, 32, (f'the class token {NORM}', f'the patch tokens {NORM}')),
        ('lift', {}, 32, (MEAN, f'the patch tokens, {LIFTED}')),
        (
            'lift',
            dict(neck=dict(pooling='cls')),
            32,
            (f'the class token, {LIFTED}', f'the patch tokens, {LIFTED}'),
        ),
        (
            'ours',
            dict(backbone=dict(with_cls_token=False, final_norm=False)),
            16,
            (MEAN, 'the patch tokens of the last block'),
        ),
    ],
)
def test_kinds_of_students(read, kind, parts, width, words):
    found = encoding_of(read(kind, labels=False, **parts))
    assert (found.width, found.num_tokens, found.grid) == (width, 16, (4, 4))
    assert (found.embedding, found.features) == words


def test_a_swins_grid_is_not_known(read):
    found = encoding_of(read('swin', labels=False))
    assert (found.width, found.num_tokens, found.grid) == (16, 16, None)
    assert (found.embedding, found.features) == (MEAN, f'the patch tokens {NORM}')
