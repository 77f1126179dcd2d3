"""What a card says about a student's outputs."""

import mmvitkd  # noqa: F401
from mmvitkd.export.card_words import words_for

import pytest


def test_a_classifier_has_classes(read):
    words = words_for(read('ours'))
    assert (words.kind, words.with_head) == ('image classifier', 'of 5 classes')
    assert words.rows == [['classes', '5: ant; bee; cat; dog; elk']]
    assert '`logits`' in words.files['student.onnx']


@pytest.mark.parametrize(
    ('kind', 'where'),
    [('ours', ', row by row of a 4 x 4 grid'), ('swin', ', row by row')],
)
def test_an_encoder_has_an_embedding_and_features(read, kind, where):
    words = words_for(read(kind, labels=False))
    assert (words.kind, words.with_head) == ('image encoder', 'without a head')
    (embedding, of), (features, tokens) = words.rows
    assert (embedding, features) == ('`embedding`', '`features`')
    assert of.startswith('16 numbers: the ') and tokens.startswith('16 x 16: the patch tokens')
    assert tokens.endswith(where)
    assert 'class' not in words.files['student.pth']
    assert '`embedding`' in words.files['student.onnx']
