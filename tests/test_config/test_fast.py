"""`fast = True` sets every switch that a config does not state."""

import copy
import re
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.config.fast import MODEL, TEACHER
from mmvitkd.config.shortcuts import apply_shortcuts

import pytest
from mmengine.config import Config

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(p for p in (ROOT / 'configs').rglob('*.py') if '_base_' not in p.parts)


def fast(name='cait_s24_deit_tiny_widelast', **options):
    cfg = Config.fromfile(ROOT / f'configs/{name}.py')
    cfg.merge_from_dict(dict(fast=True, **options))
    apply_shortcuts(cfg)
    return cfg


def test_a_distillation_gets_all():
    cfg = fast()
    model, wrapper = cfg.model, cfg.optim_wrapper
    assert model.teacher_options == dict(precision='bf16', compile=True, cuda_stream=True)
    assert (model.compile_student, model.channels_last) == (True, True)
    assert wrapper.optimizer.fused is True


def test_the_config_overrides_fast():
    options = {
        'model.teacher_options': dict(precision='fp32', stop_early=False),
        'model.compile_student': False,
        'optim_wrapper.optimizer.fused': False,
    }
    cfg = fast(**options)
    teacher = dict(precision='fp32', stop_early=False, compile=True, cuda_stream=True)
    assert cfg.model.teacher_options == teacher
    assert (cfg.model.compile_student, cfg.model.channels_last) == (False, True)
    assert cfg.optim_wrapper.optimizer.fused is False


def test_an_option_by_its_old_name_overrides_fast():
    cfg = fast(**{'model.teacher_options': dict(own_stream=False)})
    teacher = dict(precision='bf16', compile=True, cuda_stream=False)
    assert cfg.model.teacher_options == teacher


def test_without_a_teacher_there_is_less():
    cfg = fast('deit/deit_tiny_300e')
    assert cfg.optim_wrapper.optimizer.fused is True
    assert not {*MODEL, 'teacher_options'} & cfg.model.keys()
    cfg = fast(**{'model.teacher': None})
    assert 'teacher_options' not in cfg.model
    assert cfg.model.keys() >= MODEL.keys()


@pytest.mark.parametrize('kind', ['Adam', 'AdamW', 'SGD', 'Lamb'])
def test_optimizers_that_can_be_fused(kind):
    cfg = fast(**{'optim_wrapper.optimizer.type': kind})
    assert cfg.optim_wrapper.optimizer.get('fused') == (None if kind == 'Lamb' else True)
    cfg = fast(**{'optim_wrapper.optimizer.foreach': True})
    assert 'fused' not in cfg.optim_wrapper.optimizer


@pytest.mark.parametrize('model', [None, dict(type='FeatureDistillation')], ids=str)
def test_little_of_a_config_is_needed(model):
    cfg = Config(dict(fast=True) | (dict(model=model) if model else {}))
    untouched = cfg.to_dict()
    apply_shortcuts(cfg)
    assert cfg.to_dict() == untouched


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_every_config_has_it(path):
    plain = Config.fromfile(path)
    for other in ('with_label', 'teacher_cache'):
        plain.pop(other, None)
    cfg = copy.deepcopy(plain)
    apply_shortcuts(cfg)
    assert cfg.to_dict() == plain.to_dict()
    cfg.fast = True
    apply_shortcuts(cfg)
    assert cfg.optim_wrapper.optimizer.fused is True
    assert cfg.model.get('teacher_options') == (TEACHER if 'teacher' in plain.model else None)


@pytest.mark.parametrize('value', [1, 'True', None, []])
def test_a_wrong_value_is_refused(value):
    with pytest.raises(ValueError, match=re.escape(f'fast={value!r}: ')):
        apply_shortcuts(Config(dict(fast=value)))


def test_fast_can_be_off():
    cfg = Config(dict(fast=False, model=dict(type='mmvitkd.FeatureDistill', teacher='timm:a')))
    apply_shortcuts(cfg)
    assert cfg.model == dict(type='mmvitkd.FeatureDistill', teacher='timm:a')
