"""The student as a plain MMPretrain config and checkpoint."""

import mmvitkd  # noqa: F401
from mmvitkd.export.mmpretrain_files import write_mmpretrain

import pytest
import torch
from mmengine.config import Config
from mmpretrain import get_model
from mmpretrain.models import ImageClassifier
from toy_students import NAMES


@pytest.mark.parametrize(
    'kind', ['ours', 'distilled', 'lift', 'widelast', 'swin_widelast', 'timm']
)
def test_mmpretrain_builds_a_model_of_equal_logits(tmp_path, read, kind):
    student = read(kind)
    write_mmpretrain(student, tmp_path)
    model = get_model(str(tmp_path / 'student.py'), str(tmp_path / 'student.pth'))
    images = student.images(3)
    assert torch.equal(model(images), student.model(images))
    assert model._dataset_meta == {'classes': NAMES}


@pytest.mark.parametrize('kind', ['ours', 'distilled', 'lift', 'widelast', 'swin'])
def test_without_a_head_it_is_an_image_classifier_that_returns_tokens(tmp_path, read, kind):
    student = read(kind, labels=False)
    write_mmpretrain(student, tmp_path)
    model = get_model(str(tmp_path / 'student.py'), str(tmp_path / 'student.pth'))
    assert type(model) is ImageClassifier and model.head is None
    found, (embedding, features) = model(student.images(3)), student.model(student.images(3))
    if kind == 'lift':
        assert torch.equal(found[0], features) and torch.equal(found[1], embedding)
    elif kind == 'swin':
        assert torch.equal(found[-1].flatten(2).mT, features)
    else:
        extra = 2 if kind == 'distilled' else 1
        assert torch.equal(found[-1][:, extra:], features)
        assert torch.equal(found[-1][:, 0], embedding)
    assert model._dataset_meta == {}


def test_without_a_head_a_plain_student_needs_no_mmvitkd(tmp_path, read):
    write_mmpretrain(read('ours', labels=False), tmp_path)
    text = (tmp_path / 'student.py').read_text()
    settings = [line for line in text.splitlines() if not line.startswith('#')]
    assert 'mmvitkd' not in '\n'.join(settings) and 'head=' not in '\n'.join(settings)
    assert 'tools/test.py' not in text and 'OpenCV' in text


def test_the_checkpoint_holds_the_weights_and_the_names_only(tmp_path, read):
    student = read('widelast')
    write_mmpretrain(student, tmp_path)
    content = torch.load(tmp_path / 'student.pth', weights_only=True)
    assert content['meta'].keys() == {'dataset_meta', 'mmvitkd_version'}
    assert content.keys() == {'meta', 'state_dict'}
    assert content['state_dict'].keys() == student.model.state_dict().keys()


def test_the_config_notes_what_testing_needs(tmp_path, read):
    write_mmpretrain(read('ours'), tmp_path)
    text = (tmp_path / 'student.py').read_text()
    comments = [line for line in text.splitlines() if line.startswith('#')]
    assert any('testing needs mmvitkd' in line for line in comments)
    assert any('OpenCV' in line for line in comments)


def test_a_config_that_builds_another_function_is_refused(tmp_path, read):
    student = read('ours')
    student.config['model']['backbone']['layer_cfgs'] = dict(act_cfg=dict(type='ReLU'))
    with pytest.raises(ValueError, match=r'student\.py.* logits .*differ'):
        write_mmpretrain(student, tmp_path)


def test_unknown_names_are_left_out(tmp_path, read):
    write_mmpretrain(read('ours')._replace(classes=None), tmp_path)
    content = torch.load(tmp_path / 'student.pth', weights_only=True)
    assert content['meta']['dataset_meta'] == {}
    assert Config.fromfile(tmp_path / 'student.py').default_scope == 'mmpretrain'
