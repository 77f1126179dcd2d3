"""The lines about a student and its teacher, and what the teacher's image size costs."""

from types import SimpleNamespace

import mmvitkd  # noqa: F401
from mmvitkd import load_config
from mmvitkd.engine.runner.model_summary import model_lines

import pytest
import torch
from mmengine.model import BaseModel
from mmpretrain.registry import MODELS
from toy import vit

DISTILLED = 'mmvitkd::mnist5k/vit_32_feature_kd.py'
# A teacher of 224 pixels, and a student of 32.
TIMM = {
    'model.teacher': dict(_delete_=True, type='timm:vit_tiny_patch16_224', pretrained=False),
    'model.architecture.backbone.img_size': 32,
    'model.architecture.backbone.patch_size': 8,
}


def lines_of(options, path=DISTILLED):
    """The lines about the models of a config, without weights."""
    options = {'model.teacher_ckpt': None, 'model.allow_random_teacher': True} | options
    cfg = load_config(path, options)
    return list(model_lines(SimpleNamespace(cfg=cfg, model=MODELS.build(cfg.model))))


def test_names_parameters_and_products():
    student, teacher = lines_of({})
    assert student.startswith('Student: ImageClassifier on mmvitkd.VisionTransformer')
    assert '81.9 K parameters, 1.44 M MACs at 28 px' in student
    assert 'RANDOM weights' in teacher and '311 K parameters, 5.39 M MACs at 28 px' in teacher


def test_a_teacher_whose_config_loads_weights_is_not_random(tmp_path):
    weights = dict(type='Pretrained', checkpoint=str(tmp_path / 'teacher.pth'))
    torch.save(MODELS.build(vit()).state_dict(), weights['checkpoint'])
    given = {
        'model.teacher': dict(_delete_=True, **vit(), init_cfg=weights),
        'model.pairs': [(5, 2)],
    }
    assert not [line for line in lines_of(given) if 'RANDOM' in line]


def test_a_teacher_of_another_size_says_what_it_costs():
    """(224 / 32)^2 = 49."""
    *_, teacher, size = lines_of(TIMM)
    assert 'timm:vit_tiny_patch16_224' in teacher and 'at 224 px' in teacher
    assert '224 px' in size and '32 px' in size and '49.0 x the tokens' in size
    assert size.endswith('model.teacher.img_size=32 avoids it')
    assert len(lines_of(TIMM | {'model.teacher.img_size': 32})) == 2


def test_no_advice_that_cannot_be_followed():
    """40 pixels are no whole number of the teacher's patches."""
    size = lines_of(TIMM | {'model.architecture.backbone.img_size': 40})[-1]
    assert '31.4 x the tokens' in size and 'avoids' not in size


def test_a_smaller_teacher_costs_less():
    size = lines_of(TIMM | {'model.teacher.img_size': 16})[-1]
    assert '0.2 x the tokens' in size and 'avoids' not in size


class Odd(BaseModel):
    """A model that takes no image."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(5))

    def forward(self, points, mode='tensor'):
        raise TypeError


@pytest.mark.parametrize('size', [None, (8, 8)])
def test_a_model_that_cannot_be_counted_has_its_parameters(monkeypatch, size):
    monkeypatch.setattr('mmvitkd.engine.runner.model_summary.input_size_of', lambda _: size)
    [line] = model_lines(SimpleNamespace(cfg={}, model=Odd()))
    assert 'Student: Odd, 5 parameters' in line and 'MACs' not in line


def test_no_random_number_is_drawn():
    cfg = load_config('mmvitkd::mnist5k/vit_32.py')
    model = MODELS.build(cfg.model).train()
    state = torch.get_rng_state()
    list(model_lines(SimpleNamespace(cfg=cfg, model=model)))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(module.training for module in model.modules())
