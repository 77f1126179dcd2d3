"""A teacher's layers, and a trained student next to the floor of its targets."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.width_floor import WidthFloor, width_floor
from mmvitkd.apis.layer_floors import measure_trained, teacher_width
from mmvitkd.apis.load_distillation import load_distillation
from mmvitkd.config.load_config import load_config
from mmvitkd.datasets.image_list import find_images
from mmvitkd.models.algorithms.compared_features import compared_features

import pytest
import torch
from folders import write_noise
from mmpretrain.registry import MODELS
from toy import timm_vit, vit

TEXT = """
_base_ = 'mmvitkd::mnist5k/vit_32_{remedy}.py'
model = dict(allow_random_teacher=True, teacher_ckpt=None)
"""


@pytest.fixture
def images(tmp_path):
    names = [f'{i}.png' for i in range(12)]
    return find_images(str(write_noise(tmp_path / 'images', *names, size=(28, 28, 3))))


@pytest.fixture
def loaded(tmp_path):
    """Load a distillation from a checkpoint of its own, or of its student alone."""

    def load(remedy, part='state_dict'):
        path, checkpoint = tmp_path / 'config.py', tmp_path / 'trained.pth'
        path.write_text(TEXT.format(remedy=remedy))
        cfg = load_config(str(path))
        model = MODELS.build(cfg.to_dict()['model'])
        weights = model.state_dict() if part == 'state_dict' else model.student.state_dict()
        torch.save(dict(state_dict=weights), checkpoint)
        return load_distillation(cfg, str(checkpoint), allow_random=True)

    return load


@pytest.mark.parametrize(
    ('remedy', 'is_bound'), [('lift', True), ('projector', True), ('widelast', False)]
)
def test_the_floor_is_of_what_the_losses_compare(remedy, is_bound, loaded, images):
    distillation = loaded(remedy)
    [found] = measure_trained(distillation, images, batch_size=5).layers.values()
    inputs = [distillation.student.preprocess(images.file(i)) for i in range(12)]
    [(student, teacher)] = compared_features(distillation.model, torch.stack(inputs)).values()
    floor = WidthFloor()
    floor.update(teacher)
    assert found['floor'] == pytest.approx(float(width_floor(floor.whole)[32]), rel=1e-4)
    error = (student - teacher).square().sum() / teacher.square().sum()
    assert found['rel_error'] == pytest.approx(error.item(), rel=1e-4)
    assert (found['width'], found['is_bound']) == (32, is_bound)


def test_a_pooled_target_has_no_floor_at_the_students_width(loaded, images):
    [found] = measure_trained(loaded('feature_kd'), images).layers.values()
    assert found['floor'] == 0


def test_a_checkpoint_of_the_student_alone_lacks_the_projector(loaded, images):
    with pytest.raises(ValueError, match='trained: the checkpoint has a student alone'):
        measure_trained(loaded('projector', 'student'), images)


def test_the_width_of_a_vit():
    assert teacher_width(MODELS.build(vit())) == 16
    assert teacher_width(MODELS.build(timm_vit())) == 32


@pytest.mark.parametrize(
    'config',
    [
        dict(type='TimmClassifier', model_name='resnet18'),
        dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18)),
        dict(type='ImageClassifier', backbone=dict(type='SwinTransformer', arch='tiny')),
    ],
    ids=lambda config: config.get('model_name') or config['backbone']['type'],
)
def test_a_cnn_and_a_staged_model_are_no_teachers_here(config):
    with pytest.raises(ValueError, match=r'model: found a .*wanted a ViT'):
        teacher_width(MODELS.build(config))
