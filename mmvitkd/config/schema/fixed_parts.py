"""Check the parts of a config that MMEngine reads key by key, without a signature."""

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS

from ...suggestions import close_names, did_you_mean
from ...utils.errors import KeyedValueError

# The keys of each part, with the types of their values.
NUMBER = (int, float)
PARAMWISE = 'optim_wrapper.paramwise_cfg'
PARTS: dict[str, dict[str, Any]] = {
    'env_cfg': dict(cudnn_benchmark=bool, mp_cfg=dict, dist_cfg=dict, resource_limit=int),
    'env_cfg.mp_cfg': dict(mp_start_method=str, opencv_num_threads=int),
    'env_cfg.dist_cfg': dict(
        backend=str, timeout=NUMBER, init_backend=str, port=int, tcp_port=int
    ),
    'auto_scale_lr': dict(base_batch_size=int, enable=bool),
    'randomness': dict(seed=int, deterministic=bool, diff_rank_seed=bool),
    PARAMWISE: dict(
        custom_keys=dict,
        lr_mult=NUMBER,
        decay_mult=NUMBER,
        bias_lr_mult=NUMBER,
        bias_decay_mult=NUMBER,
        norm_decay_mult=NUMBER,
        flat_decay_mult=NUMBER,
        dwconv_decay_mult=NUMBER,
        dcn_offset_lr_mult=NUMBER,
        bypass_duplicate=bool,
        layer_decay_rate=NUMBER,
        num_layers=int,
        layer_decay_type=str,
    ),
}
CUSTOM_KEYS = f'{PARAMWISE}.custom_keys'
MULTIPLIERS = dict(lr_mult=NUMBER, decay_mult=NUMBER, lars_exclude=bool, fix_lr=bool)
# The constructors that read these; others have options of their own.
CONSTRUCTORS = ('DefaultOptimWrapperConstructor', 'MergedOptimWrapperConstructor')
# Values at the top level.
VALUES: dict[str, Any] = {
    'load_from': (str, type(None)),
    'log_level': (str, int),
    'work_dir': str,
    'experiment_name': (str, type(None)),
    'default_scope': str,
    'launcher': str,
    'resume': (bool, str),
    'randomness': dict,
    'env_cfg': dict,
    'default_hooks': (dict, type(None)),
    'custom_hooks': (list, tuple, type(None)),
    'sync_bn': (str, type(None)),
    'find_unused_parameters': bool,
    'runner_type': str,
    'sample_seed': (int, type(None)),
    'sample_seeds': bool,
    'sample_views': (int, type(None)),
}
LOG_LEVELS = ('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL', 'NOTSET', 'WARN', 'FATAL')
# The names of MMEngine's default hooks and ours; others may be chosen, but none that is close.
HOOKS = (
    *('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint'),
    *('visualization', 'random_state', 'finite_loss', 'preemption', 'teacher_cache'),
    *('target_statistics', 'subspace_floor', 'teacher_accuracy', 'feature_error'),
    *('unreadable_images', 'disk_full', 'watchdog'),
)
START_METHODS = ('fork', 'spawn', 'forkserver')
CHOICES = {
    'env_cfg.mp_cfg.mp_start_method': START_METHODS,
    'env_cfg.dist_cfg.backend': ('nccl', 'gloo', 'mpi', 'hccl', 'cncl', 'mccl', 'smddp'),
    'log_level': LOG_LEVELS,
}


def check_fixed_parts(cfg: Config) -> None:
    """Check the names and the types of these parts.

    Raises:
        KeyedValueError: If a name is unknown, or a value of another type.
    """
    for key, wanted in VALUES.items():
        if key in cfg:
            _check_type(key, cfg[key], wanted)
    constructor = _get(cfg, 'optim_wrapper.constructor')
    is_known = constructor is None or str(constructor).rpartition('.')[2] in CONSTRUCTORS
    for key, known in PARTS.items():
        if is_known or key != PARAMWISE:
            _check_part(key, _get(cfg, key), known)
    for key, choices in CHOICES.items():
        value = _get(cfg, key)
        if isinstance(value, str) and value.upper() not in map(str.upper, choices):
            raise KeyedValueError(
                f'{{{key}}}={value!r}: wanted one of {", ".join(choices)}'
                f'{did_you_mean(value, choices)}',
                key,
            )
    for pattern, part in (_get(cfg, CUSTOM_KEYS) or {}).items() if is_known else ():
        key = f'{CUSTOM_KEYS}[{pattern!r}]'
        _check_type(key, part, dict)
        _check_part(key, part, MULTIPLIERS)
    _check_scope(cfg)
    if isinstance(cfg.get('resume'), str) and cfg.resume != 'auto':
        raise KeyedValueError(
            f"{{resume}}={cfg.resume!r}: wanted True, False or 'auto'; a file is load_from.",
            'resume',
        )
    for name in cfg.get('default_hooks') or {}:
        close = close_names(name, HOOKS, n=1, cutoff=0.8)
        if close and name not in HOOKS:
            raise KeyedValueError(
                f'{{default_hooks.{name}}}: nothing is configured by this name; did you '
                f'mean {close[0]}?',
                f'default_hooks.{name}',
            )


def _check_scope(cfg: Config) -> None:
    scope = cfg.get('default_scope')
    scopes = ('mmengine', *MODELS.children)
    if scope is not None and scope not in scopes and not cfg.get('custom_imports'):
        raise KeyedValueError(
            f'{{default_scope}}={scope!r}: wanted one of {", ".join(scopes)}'
            f'{did_you_mean(scope, scopes)}',
            'default_scope',
        )


def _check_part(key: str, part: Any, known: Mapping[str, Any]) -> None:
    if part is None:
        return
    _check_type(key, part, dict)
    for name, value in part.items():
        if name not in known:
            raise KeyedValueError(
                f'{{{key}.{name}}}: nothing reads this key; wanted one of {", ".join(known)}'
                f'{did_you_mean(name, known)}',
                f'{key}.{name}',
            )
        if value is not None:
            _check_type(f'{key}.{name}', value, known[name])


def _check_type(key: str, value: Any, wanted: Any) -> None:
    kinds = wanted if isinstance(wanted, tuple) else (wanted,)
    is_fine = isinstance(value, kinds) and (not isinstance(value, bool) or bool in kinds)
    if is_fine:
        return
    names = ' or '.join('None' if kind is type(None) else kind.__name__ for kind in kinds)
    raise KeyedValueError(f'{{{key}}}={value!r}: wanted {names}.', key)


def _get(cfg: Config, key: str) -> Any:
    node: Any = cfg
    for step in key.split('.'):
        node = node.get(step) if isinstance(node, Mapping | Config) else None
    return node
