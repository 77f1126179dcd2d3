"""What a card says about a student's outputs."""

import mmvitkd  # noqa: F401
from mmvitkd.export.card_words import words_for
from mmvitkd.export.student import read_student

import pytest
from toy_students import save_training, training


def test_a_classifier_has_classes(read):
    words = words_for(read('ours'))
    assert (words.kind, words.with_head) == ('image classifier', 'of 5 classes')
    assert words.rows == [['classes', '5: ant; bee; cat; dog; elk']]
    assert '`logits`' in words.files['student.onnx']


def test_a_classifier_of_several_classes_says_so(tmp_path):
    cfg = training('plain')
    cfg.model.head = dict(type='MultiLabelLinearClsHead', num_classes=5, in_channels=16)
    save_training(cfg, tmp_path / 'training.pth')
    words = words_for(read_student(cfg, str(tmp_path / 'training.pth')))
    assert words.with_head == 'of 5 classes, of which an image may have several'
    assert 'score of 0.5 or more' in words.rows[1][1] and 'sigmoid' in words.rows[1][1]


@pytest.mark.parametrize(
    ('kind', 'where'),
    [('ours', ', row by row on a grid of 4 x 4'), ('swin', ', row by row')],
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
