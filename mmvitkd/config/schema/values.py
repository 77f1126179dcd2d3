"""Check the ranges of values, wherever in a config their keys are."""

import math
from collections.abc import Callable, Iterator, Mapping
from numbers import Number
from typing import Any

from mmengine.config import Config

from ...suggestions import close_names, did_you_mean
from ...utils.errors import KeyedValueError

Check = tuple[Callable[[Any], bool], str]
INT: Check = (lambda v: _is_int(v) and v > 0, 'an int above 0')
INTS: Check = (lambda v: _each(INT[0], v), 'an int above 0, or some')
INT_OR_OFF: Check = (
    lambda v: _is_int(v) and (v > 0 or v == -1),
    'an int above 0, or -1 for none',
)
COUNT: Check = (lambda v: _is_int(v) and v >= 0, 'an int of 0 or more')
NUMBER: Check = (lambda v: _is_number(v) and v >= 0, 'a number of 0 or more')
ABOVE_0: Check = (lambda v: _is_number(v) and v > 0, 'a number above 0')
SHARE: Check = (lambda v: _is_number(v) and 0 <= v <= 1, 'a number from 0 to 1')
SHARES: Check = (lambda v: _each(SHARE[0], v), 'a number from 0 to 1, or some')
FLAG: Check = (lambda v: isinstance(v, bool), 'True or False')
SIZE: Check = (lambda v: _all(INT[0], v, (1, 2)), 'an int above 0, or two of them')
SCALE: Check = (
    lambda v: ABOVE_0[0](v) or _is_scale(v) or (isinstance(v, list) and _each(_is_scale, v)),
    'a number above 0, or two of them, or a list of such pairs',
)
STD: Check = (lambda v: _all(ABOVE_0[0], v, (1, 3)), 'three numbers above 0, or one')
MEAN: Check = (lambda v: _all(_is_number, v, (1, 3)), 'three numbers, or one')
PATH: Check = (lambda v: isinstance(v, str) and v != '', 'a path')
RGB: Check = (
    lambda v: v == 3,
    '3: images are read in RGB, and a grey one has three equal channels',
)
# By the key, or by the end of its place. None passes where it is not excluded below.
RANGES: dict[str, Check] = {
    'train_dataloader.batch_size': INT,
    'val_dataloader.batch_size': INT,
    'test_dataloader.batch_size': INT,
    'num_workers': COUNT,
    'drop_last': FLAG,
    'max_epochs': INT,
    'max_iters': INT,
    'val_begin': COUNT,
    'train_cfg.val_interval': INT,
    'train_cfg.by_epoch': FLAG,
    'checkpoint.interval': INT_OR_OFF,
    'max_keep_ckpts': INT_OR_OFF,
    'logger.interval': INT,
    'visualization.interval': INT,
    'feature_error.interval': INT,
    'watchdog.timeout': ABOVE_0,
    'dist_cfg.timeout': ABOVE_0,
    'visualization.enable': FLAG,
    'final_norm': FLAG,
    'accumulative_counts': INT,
    'base_batch_size': INT,
    'auto_scale_lr.enable': FLAG,
    'num_repeats': INT,
    'optimizer.lr': NUMBER,
    'optimizer.weight_decay': NUMBER,
    'optimizer.eps': NUMBER,
    'optimizer.momentum': SHARE,
    'eta_min': NUMBER,
    'start_factor': ABOVE_0,
    'begin': COUNT,
    'end': INT,
    'patch_size': SIZE,
    'img_size': SIZE,
    'crop_size': SIZE,
    'scale': SCALE,
    'in_channels': INTS,
    'backbone.in_channels': RGB,
    'base.in_channels': RGB,  # of WideLast
    'in_chans': RGB,  # timm's name
    'out_channels': INTS,
    'embed_dims': INTS,
    'num_layers': INTS,
    'num_heads': INTS,
    'feedforward_channels': INTS,
    'width': INT,
    'num_classes': COUNT,  # of a timm model without a head: 0
    'drop_rate': SHARE,
    'drop_path_rate': SHARE,
    'prob': SHARES,
    'erase_prob': SHARE,
    'label_smooth_val': SHARE,
    'min_area_ratio': SHARE,
    'max_area_ratio': SHARE,
    'val_ratio': SHARE,
    'mean': MEAN,
    'std': STD,
    'init_cfg.std': NUMBER,
    'to_rgb': FLAG,
    'norm_decay_mult': NUMBER,
    'bias_decay_mult': NUMBER,
    'flat_decay_mult': NUMBER,
    'decay_mult': NUMBER,
    'lr_mult': NUMBER,
    'tau': ABOVE_0,
    'convert_to_iter_based': FLAG,
    'magnitude_std': (lambda v: v == 'inf' or NUMBER[0](v), 'a number of 0 or more'),
    'loss_weight': (lambda v: _is_number(v), 'a number'),
    'teacher_ckpt': PATH,
    'student_ckpt': PATH,
    'allow_random_teacher': FLAG,
    'data_root': (lambda v: isinstance(v, str), 'a path'),
    'split': (lambda v: isinstance(v, str), 'a name'),
    'momentum': SHARE,
}
VIT = ('embed_dims', 'num_layers', 'num_heads', 'feedforward_channels')
# Of RandAugment, which leaves out others.
HPARAMS = ('pad_val', 'interpolation')
# Elsewhere these keys have a meaning of their own.
ONLY_IN = {
    'mean': ('data_preprocessor',),
    'std': ('data_preprocessor',),
    'momentum': ('custom_hooks',),
    'width': ('backbone',),
    'begin': ('param_scheduler',),
    'end': ('param_scheduler',),
    'prob': ('pipeline',),
    'scale': ('pipeline',),
}
# None is refused too.
REQUIRED = (
    *('train_dataloader.batch_size', 'val_dataloader.batch_size', 'max_epochs', 'max_iters'),
    *('test_dataloader.batch_size', 'val_interval', 'optimizer.lr', 'patch_size', 'img_size'),
    *('checkpoint.interval', 'logger.interval', 'base_batch_size', 'num_workers', 'drop_last'),
    *('embed_dims', 'num_layers', 'num_heads', 'feedforward_channels', 'in_channels'),
    *('optimizer.weight_decay', 'optimizer.eps', 'width', 'crop_size', 'enable', 'num_repeats'),
    *(
        'prob',
        'erase_prob',
        'momentum',
        'loss_weight',
        'begin',
        'end',
        'start_factor',
        'tau',
        'by_epoch',
    ),
    *('watchdog.timeout', 'feature_error.interval', 'visualization.interval', 'to_rgb'),
    *('norm_decay_mult', 'bias_decay_mult', 'flat_decay_mult', 'lr_mult', 'decay_mult'),
)


def check_values(cfg: Config) -> list[str]:
    """Check the values of the keys in ``RANGES``; return warnings.

    Raises:
        KeyedValueError: If a value is out of its range.
    """
    warnings = []
    settings = list(settings_of(dict(cfg)))
    for key, value in settings:
        name = key.rpartition('.')[2]
        for ending in (name, '.'.join(key.split('.')[-2:])):
            if ending in RANGES and _applies(key, ending):
                _check(key, value, ending)
        if _is_number(value):
            if name == 'loss_weight' and value < 0:
                warnings.append(f'{key}={value!r}: a loss below 0 is made larger, not smaller')
            if key.endswith('optimizer.lr') and value == 0:
                warnings.append(f'{key}={value!r}: nothing is learnt')
    for key, part in settings:
        _check_hparams(key)
        if isinstance(part, Mapping) and all(name in part for name in VIT):
            _check_vit(key, part)
        if key.rpartition('.')[2] == 'data_preprocessor' and isinstance(part, Mapping):
            _check_scale(key, part)
    return warnings


def settings_of(node: Any, key: str = '') -> Iterator[tuple[str, Any]]:
    """Yield every setting of nested dicts and lists, with its place."""
    items = node.items() if isinstance(node, Mapping) else enumerate(node)
    for name, value in items:
        place = f'{key}.{name}' if key else str(name)
        if isinstance(node, Mapping):
            yield place, value
        if isinstance(value, Mapping | list | tuple):
            yield from settings_of(value, place)


def _applies(key: str, ending: str) -> bool:
    places = ONLY_IN.get(ending)
    return places is None or any(place in key.split('.')[:-1] for place in places)


def _check(key: str, value: Any, ending: str) -> None:
    if value is not None or ending in REQUIRED:
        _check_in(key, value, RANGES[ending])


def _check_in(key: str, value: Any, check: Check) -> None:
    suits, wanted = check
    if not suits(value):
        raise KeyedValueError(f'{{{key}}}={value!r}: wanted {wanted}.', key)


def _check_vit(key: str, part: Mapping[str, Any]) -> None:
    """Check the shape of a plain ViT, which has one number for all its blocks."""
    for name in VIT:
        _check_in(f'{key}.{name}', part[name], INT)
    width, heads = part['embed_dims'], part['num_heads']
    if width % heads:
        raise KeyedValueError(
            f'{{{key}.num_heads}}={heads}: wanted a divisor of embed_dims={width}.',
            f'{key}.num_heads',
        )


def _check_hparams(key: str) -> None:
    *_, owner, name = ('', *key.split('.'))
    if owner == 'hparams' and name not in HPARAMS and close_names(name, HPARAMS, cutoff=0.7):
        raise KeyedValueError(
            f'{{{key}}}: no transform reads this key{did_you_mean(name, HPARAMS)}', key
        )


def _check_scale(key: str, part: Mapping[str, Any]) -> None:
    """Check that the mean and std of pixels are in their units."""
    mean, std = part.get('mean'), part.get('std')
    if not isinstance(mean, list | tuple) or not isinstance(std, list | tuple):
        return
    if len(mean) != len(std):
        raise KeyedValueError(
            f'{{{key}.std}}: found {len(std)} numbers, and {len(mean)} in {key}.mean; wanted '
            'as many.',
            f'{key}.std',
        )
    small = dict(mean=mean) if 0 < max(mean) <= 1 else {}
    small |= dict(std=std) if max(std) < 1 else {}
    if small:
        found = ', '.join(f'{name}={list(values)}' for name, values in small.items())
        wanted = ', '.join(f'{k}={[round(255 * v, 3) for v in vs]}' for k, vs in small.items())
        name = next(iter(small))
        raise KeyedValueError(
            f'{{{key}.{name}}}: found {found}, but pixels have values from 0 to 255; wanted '
            f'{wanted}.',
            f'{key}.{name}',
        )


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    is_real = isinstance(value, Number) and not isinstance(value, bool | complex)
    return is_real and math.isfinite(value)


def _is_side(value: Any) -> bool:
    """Return whether a number is a side of an image; -1 is one that keeps the proportions."""
    return _is_number(value) and (value > 0 or value == -1)


def _is_scale(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_side, value))


def _each(suits: Callable[[Any], bool], value: Any) -> bool:
    """Return whether a value suits, or each of a list, as of the stages of a model."""
    return all(map(suits, value)) if isinstance(value, list | tuple) and value else suits(value)


def _all(suits: Callable[[Any], bool], value: Any, lengths: tuple[int, ...]) -> bool:
    """Return whether a value suits, or each of some do."""
    if value == 'measured':  # mean and std of the training images
        return True
    if isinstance(value, list | tuple):
        return len(value) in lengths and all(map(suits, value))
    return suits(value)
