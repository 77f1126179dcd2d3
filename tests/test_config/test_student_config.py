"""The student's part of a config, and whether it has a head."""

import mmvitkd  # noqa: F401
from mmvitkd.config.student_config import is_encoder, student_config

import pytest
from toy_students import label_free, training


@pytest.mark.parametrize('kind', ['lift', 'plain'])
def test_the_student_of_a_distillation_and_of_a_plain_training(kind):
    model = training(kind).to_dict()['model']
    assert student_config(model)['type'] == 'mmpretrain.ImageClassifier'
    assert not is_encoder(student_config(model))


@pytest.mark.parametrize('kind', ['ours', 'lift', 'widelast'])
def test_a_student_without_labels_is_an_encoder(kind):
    assert is_encoder(student_config(label_free(kind).to_dict()['model']))
