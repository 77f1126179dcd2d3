"""What nothing reads, and what cannot be used, is named before anything is built."""

from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.config.layers import Layers
from mmvitkd.config.load_config import load_config
from mmvitkd.config.schema import check_settings
from mmvitkd.config.schema.top_level import check_ineffective, check_top_level
from mmvitkd.config.schema.values import check_values
from mmvitkd.utils.errors import KeyedValueError

import pytest
from logged import logged
from mmengine.config import Config

CONFIGS = Path(__file__).parents[3] / 'configs'
DIGITS = str(CONFIGS / 'mnist5k/vit_32_feature_kd.py')
STUDENT = 'model.architecture'
DATASET = 'train_dataloader.dataset'


@pytest.fixture
def said(caplog, monkeypatch):
    """What is logged as a warning."""
    messages = []
    monkeypatch.setattr(
        'mmvitkd.config.schema.check.print_log', lambda text, *_: messages.append(text)
    )
    return messages


def refused(**options):
    with pytest.raises(KeyedValueError) as caught:
        load_config(DIGITS, {key.replace('__', '.'): v for key, v in options.items()}, False)
    return str(caught.value)


def test_shipped_and_dumped_configs_pass_in_silence(said, tmp_path):
    for path in sorted(CONFIGS.glob('*/*.py'))[::4]:
        if path.parent.name == '_base_':
            continue
        load_config(str(path), measure=False).dump(tmp_path / 'dumped.py')
        load_config(str(tmp_path / 'dumped.py'), measure=False)
    assert said == []


def test_shortcuts_in_a_dumped_config(said, tmp_path):
    options = dict(data_root='x', num_classes=3, img_size=56, fast=True)
    name = str(CONFIGS / 'image_folder/deit_small_deit_tiny.py')
    load_config(name, options | {'img_size': 112}, False).dump(tmp_path / 'dumped.py')
    load_config(str(tmp_path / 'dumped.py'), measure=False)
    assert said == []


@pytest.mark.parametrize(
    ('key', 'value', 'right'),
    [
        ('data_rot', 'x', 'data_root'),
        ('num_class', 5, 'num_classes'),
        ('fasst', True, 'fast'),
        ('train_config', {}, 'train_cfg'),
        ('optimizer', dict(type='SGD', lr=1), 'optim_wrapper.optimizer'),
        ('lr', 0.5, 'optim_wrapper.optimizer.lr'),
        ('max_epochs', 7, 'train_cfg.max_epochs'),
        ('batch_size', 7, 'train_dataloader.batch_size'),
        ('seed', 7, 'randomness.seed'),
        ('resume_from', 'x', 'load_from'),
        ('teacher_ckpt', 'x', 'model.teacher_ckpt'),
        ('train_cfg.max_epoch', 3, 'max_epochs'),
        ('default_hooks.checkpont', dict(type='mmvitkd.CheckpointHook'), 'checkpoint'),
        ('default_hooks.checkpoint.save_bst', 'auto', 'save_best'),
        ('optim_wrapper.paramwise_cfg.norm_decay_mul', 0.0, 'norm_decay_mult'),
        ('optim_wrapper.optimizer.weight_decy', 0.0, 'weight_decay'),
        ('optim_wrapper.optimizer.type', 'Adamw', 'Adam'),
        ('env_cfg.cudnn_benchmrk', True, 'cudnn_benchmark'),
        ('randomness.sead', 3, 'seed'),
        ('default_scope', 'mmpretain', 'mmpretrain'),
        (f'{DATASET}.splt', 'train', 'split'),
        (f'{DATASET}.pipeline.1.prop', 0.5, 'prob'),
        (f'{DATASET}.pipeline.1.type', 'Rotat', 'Rotate'),
        (f'{STUDENT}.backbone.patch_sise', 7, 'patch_size'),
        (f'{STUDENT}.head._scop_', 'mmpretrain', '_scope_'),
    ],
)
def test_a_wrong_name_is_refused_with_the_right_one(key, value, right):
    message = refused(**{key: value})
    assert key.rpartition('.')[2] in message and right in message


@pytest.mark.parametrize(
    ('key', 'value', 'wanted'),
    [
        ('optim_wrapper.optimizer.lr', '1e-3', 'without quotes'),
        ('optim_wrapper.optimizer.weight_decay', '0.05', 'without quotes'),
        ('train_cfg.max_epochs', '3', 'without quotes'),
        ('param_scheduler.1.eta_min', '1e-5', 'without quotes'),
        ('train_cfg.val_interval', 0, 'above 0'),
        ('default_hooks.checkpoint.interval', 0, 'above 0'),
        ('randomness.seed', 'abc', 'int'),
        ('log_level', 'loud', 'INFO'),
        ('img_size', '28', 'int'),
        (f'{STUDENT}.backbone.patch_size', 0, 'above 0'),
        (f'{STUDENT}.backbone.in_channels', 1, '3: images are read in RGB'),
        ('data_preprocessor.std', [0, 0, 0], 'above 0'),
        ('data_preprocessor.mean', [1.0, 2.0], 'three'),
        ('train_dataloader.num_workers', -1, '0 or more'),
        ('train_dataloader', (1, 2), 'dict'),
        (f'{STUDENT}.head', (1, 2), 'dict'),
        (f'{DATASET}.pipeline.1.prob', 1.5, '0 to 1'),
        (f'{STUDENT}.backbone.arch.embed_dims', (32, 32), 'an int above 0'),
        (f'{STUDENT}.backbone.arch.num_heads', 5, 'a divisor of embed_dims=32'),
        (f'{DATASET}.pipeline', [dict(type='ResizeEdge', scale=-28)], 'a number above 0'),
        (f'{DATASET}.pipeline', [dict(type='Resize', scale=(1, 2, 3))], 'two of them'),
        (f'{DATASET}.pipeline', [dict(type='RandomResize', scale=[(9, 9), 9])], 'such pairs'),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_wanted(key, value, wanted):
    message = refused(**{key: value})
    assert message.startswith(key) and wanted in message


@pytest.mark.parametrize('scale', [28, (28, -1), [28, 28], [(28, 28), (32, 32)], 1.5])
def test_the_scales_of_mmcv_pass(scale):
    """Those of Resize, and of RandomResize, which has a list of them."""
    check_values(Config({'pipeline': [dict(type='RandomResize', scale=scale)]}))


@pytest.mark.parametrize(
    ('given', 'wanted'),
    [
        (dict(mean=[0.5, 0.4, 0.4]), ['mean=[127.5, 102.0, 102.0]']),
        (dict(std=[0.2, 0.2, 0.2]), ['std=[51.0, 51.0, 51.0]']),
        (dict(mean=[0.5] * 3, std=[0.2] * 3), ['mean=[127.5, ', 'std=[51.0, ']),
    ],
)
def test_what_is_in_0_to_1_is_scaled_in_the_hint(given, wanted):
    message = refused(**{f'data_preprocessor.{k}': v for k, v in given.items()})
    hint = message.partition('wanted')[2]
    assert all(each in hint for each in wanted)
    assert all((name in hint) == (name in given) for name in ('mean', 'std'))


@pytest.mark.parametrize(
    ('key', 'value'),
    [('model.pair_loss.loss_weight', -0.2), ('optim_wrapper.optimizer.lr', 0), ('my_own', 'x')],
)
def test_what_may_be_meant_is_a_warning(said, key, value):
    load_config(DIGITS, {key: value}, measure=False)
    (message,) = said
    assert message.startswith(key)


def test_a_variable_of_ones_own_that_is_used(said, tmp_path):
    text = f'_base_ = {DIGITS!r}\nepochs = 30\ntrain_cfg = dict(max_epochs=epochs)'
    (tmp_path / 'own.py').write_text(text)
    load_config(str(tmp_path / 'own.py'), measure=False)
    assert said == []


@pytest.mark.parametrize(
    ('variable', 'value', 'place'),
    [
        ('train_pipeline', "[dict(type='PackInputs')]", 'train_dataloader.dataset.pipeline'),
        ('test_pipeline', "[dict(type='PackInputs')]", 'val_dataloader.dataset.pipeline'),
        ('vis_backends', "[dict(type='TensorboardVisBackend')]", 'visualizer.vis_backends'),
    ],
)
def test_a_shared_variable_that_is_changed_too_late(tmp_path, variable, value, place):
    (tmp_path / 'own.py').write_text(f'_base_ = {DIGITS!r}\n{variable} = {value}')
    with pytest.raises(KeyedValueError, match=f'{variable}.* {place}'):
        load_config(str(tmp_path / 'own.py'), measure=False)


BASE = f"""_base_ = {DIGITS!r}
epochs = 3
last = epochs - 1
train_cfg = dict(max_epochs=epochs)
default_hooks = dict(checkpoint=dict(interval=last))
"""


@pytest.mark.parametrize(
    ('text', 'place'),
    [
        ('epochs = 5', 'default_hooks.checkpoint.interval, train_cfg.max_epochs'),
        ('epochs = 5\ntrain_cfg = dict(max_epochs=5)', 'default_hooks.checkpoint.interval'),
        ('last = 5', 'default_hooks.checkpoint.interval'),
        ('epochs = 3', None),  # as it was
        ('epochs = 5\ntrain_cfg = dict(max_epochs=epochs)', None),  # it is read here
        ('epochs = 5\ntrain_cfg = default_hooks = dict(_delete_=True)', None),
    ],
)
def test_a_variable_that_a_base_has_used(tmp_path, text, place):
    (tmp_path / 'base.py').write_text(BASE)
    (tmp_path / 'own.py').write_text(f"_base_ = './base.py'\n{text}")
    layers = Layers.of(str(tmp_path / 'own.py'))
    if place is None:
        check_ineffective(layers)
        return
    with pytest.raises(KeyedValueError, match=f'no effect: {place} keep'):
        check_ineffective(layers)


def test_a_variable_that_an_option_changes_too_late(tmp_path):
    (tmp_path / 'base.py').write_text(BASE)
    with pytest.raises(KeyedValueError, match=r'epochs.*train_cfg\.max_epochs'):
        load_config(str(tmp_path / 'base.py'), {'epochs': 5}, measure=False)


@pytest.mark.parametrize('value', [28, 4.5])
def test_a_misspelt_key_whose_value_another_holds(said, tmp_path, value):
    """It may be a variable only in a config that a run has dumped, where nothing reads it."""
    assert 'did you mean img_size?' in refused(img_szie=value)
    text = f'_base_ = {DIGITS!r}\nimg_szie = {value}'
    (tmp_path / 'own.py').write_text(text)
    with pytest.raises(KeyedValueError, match='img_size'):
        load_config(str(tmp_path / 'own.py'), measure=False)
    (tmp_path / 'own.py').write_text(f'{text}\ndefault_hooks = dict(own=img_szie)')
    Config.fromfile(tmp_path / 'own.py').dump(tmp_path / 'dumped.py')
    path = str(tmp_path / 'dumped.py')
    (warning,) = check_top_level(Config.fromfile(path), Layers.of(path))
    assert 'img_szie' in warning


def test_the_config_does_not_change():
    cfg = Config.fromfile(DIGITS)
    check_settings(cfg, Layers.of(DIGITS))
    assert cfg.to_dict() == Config.fromfile(DIGITS).to_dict()


@pytest.mark.parametrize(
    'name', ['resnet/resnet50_8xb32-fp16_in1k.py', 'swin_transformer/swin-tiny_16xb64_in1k.py']
)
def test_configs_of_mmpretrain_pass(name, said):
    """A number where MMEngine says str; a list where other models have a number."""
    load_config(f'mmpretrain::{name}', measure=False)
    assert said == []


def test_mmengines_own_functions_give_no_warning():
    """MMPretrain has no registry of functions, of which MMEngine would warn."""
    options = {'val_dataloader.collate_fn': dict(type='default_collate')}
    with logged() as messages:
        load_config(DIGITS, options, False)
    assert not [message for message in messages if 'registry tree' in message]
