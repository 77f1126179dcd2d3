"""Apply ``fast = True``: the settings for speed, unless the config states its own."""

from typing import Any

from mmengine.config import Config

from ..utils.deprecation import rename_keys

# For mmvitkd.FeatureDistill.
MODEL = dict(compile_student=True, channels_last=True)
# For its teacher, if it has one.
TEACHER = dict(precision='bf16', compile=True, cuda_stream=True)
RENAMED_OPTIONS = {'own_stream': 'cuda_stream'}  # old names
# For the optimizers that support it.
OPTIMIZER = dict(fused=True)
FUSED = ('Adam', 'AdamW', 'SGD')


def apply_fast(cfg: Config) -> None:
    """Set the options for speed that the config does not state itself.

    Args:
        cfg: The config of a run, changed in place.

    Raises:
        ValueError: If its ``fast`` is neither True nor False.
    """
    fast = cfg.get('fast', False)
    if not isinstance(fast, bool):
        raise ValueError(f'fast={fast!r}: wanted True or False.')
    if not fast:
        return
    model = cfg.get('model') or {}
    if str(model.get('type')).split('.')[-1] == 'FeatureDistill':
        _complete(model, MODEL)
        options = model.get('teacher_options', {})
        # None stays None: a teacher that is not a live model takes no options.
        if model.get('teacher') is not None and isinstance(options, dict):
            options = rename_keys(dict(options), RENAMED_OPTIONS, 'teacher_options')
            model['teacher_options'] = {**TEACHER, **options}
    optimizer = (cfg.get('optim_wrapper') or {}).get('optimizer') or {}
    if optimizer.get('type') in FUSED and 'foreach' not in optimizer:  # one or the other
        _complete(optimizer, OPTIMIZER)


def _complete(node: dict[str, Any], switches: dict[str, Any]) -> None:
    for key, value in switches.items():
        node.setdefault(key, value)
