"""Apply ``teacher_cache='DIR'``: where a teacher's outputs are kept, and of how many views."""

from collections.abc import Mapping
from typing import Any, NoReturn

from mmengine.config import Config

from ..utils.errors import KeyedValueError

KEY = 'teacher_cache'
# Different augmentations of an image, unless `views` says otherwise.
MAX_AUGMENTATIONS = 50


def merge_options(cfg: Config, options: dict[str, Any]) -> None:
    """Override settings, also those of a ``teacher_cache`` that is stated as a folder.

    Args:
        cfg: The config, changed in place.
        options: Settings by their keys, nested ones with dots, as ``--cfg-options`` gives them.

    Raises:
        KeyedValueError: If a list has no such item.
    """
    for key in options:
        _check_items(cfg, key)
    if any(key.startswith(f'{KEY}.') for key in options):
        stated = cfg.get(KEY)
        if isinstance(stated, str):
            cfg[KEY] = dict(dir=stated)
        elif stated is None:
            cfg.pop(KEY, None)
    cfg.merge_from_dict(options)


def _check_items(cfg: Config, key: str) -> None:
    """Check that the lists on the way to a setting have the items that its key names."""
    node: Any = cfg
    for step in key.split('.'):
        if isinstance(node, list | tuple) and step.isdigit() and int(step) >= len(node):
            raise KeyedValueError(
                f'{{{key}}}: there is no item {step}; the list has {len(node)}, from 0 on.',
                key,
            )
        if isinstance(node, list | tuple) and step.isdigit():
            node = node[int(step)]
        else:
            node = node.get(step) if isinstance(node, Mapping | Config) else None


def apply_teacher_cache(cfg: Config) -> None:
    """Set ``model.teacher_cache`` and ``sample_views``.

    ``teacher_cache`` is the path of a folder, or a dict with ``dir``, ``views`` and the options
    of :class:`~mmvitkd.models.teachers.cache_options.CacheOptions`; None for no cache.

    ``views`` defaults to ``sample_views``, or else to one an epoch, up to 50 augmentations of
    an image: 50 views, or 16 where repeated augmentation shows it three times in an epoch.

    Args:
        cfg: The config of a run, changed in place.

    Raises:
        ValueError: If a value is wrong, nothing is distilled, or the views are not repeatable.
    """
    if KEY not in cfg:
        return
    model = cfg.get('model') or {}
    if cfg.teacher_cache is None:
        model.pop(KEY, None)
        return
    options = _options(cfg.teacher_cache)
    if str(model.get('type')).split('.')[-1] != 'FeatureDistill' or not model.get('teacher'):
        _refuse(f'{{{KEY}}}={options["dir"]!r}: this config has no model with a teacher.')
    if cfg.get('sample_seeds', True) is not True:
        _refuse(
            f'{{{KEY}}}: wanted sample_seeds=True: without, no two epochs show the same image.'
        )
    if cfg.get('sample_seed') is None and (cfg.get('randomness') or {}).get('seed') is None:
        _refuse(
            f'{{{KEY}}}: wanted a randomness.seed or a sample_seed, which views are drawn from.'
        )
    cfg.sample_views = _views(cfg, options.pop('views', None))
    model[KEY] = options


def _options(given: Any) -> dict[str, Any]:
    if isinstance(given, str) and given:
        return dict(dir=given)
    if isinstance(given, dict) and isinstance(given.get('dir'), str) and given['dir']:
        return dict(given)
    _refuse(f"{{{KEY}}}={given!r}: wanted a folder, or dict(dir='FOLDER', views=, ...).")


def _views(cfg: Config, given: Any) -> int:
    """Return how many views an image has."""
    epochs = (cfg.get('train_cfg') or {}).get('max_epochs')
    known = cfg.get('sample_views')
    if given is None:
        repeats = _repeats(cfg)
        views = known or min(epochs or MAX_AUGMENTATIONS, max(1, MAX_AUGMENTATIONS // repeats))
        return int(views)
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        _refuse(f'{{{KEY}.views}}={given!r}: wanted an int above 0.', f'{KEY}.views')
    if epochs is not None and given > epochs:
        _refuse(
            f'{{{KEY}.views}}={given}: this training has {epochs} epochs, and shows an image '
            'one view in each; wanted at most that.',
            f'{KEY}.views',
        )
    if known is not None and known != given:
        _refuse(
            f'{{{KEY}.views}}={given}: sample_views={known} says otherwise; leave one out.',
            f'{KEY}.views',
        )
    return given


def _repeats(cfg: Config) -> int:
    """Return how often the sampler of a training repeats an image in an epoch."""
    sampler = (cfg.get('train_dataloader') or {}).get('sampler') or {}
    is_repeated = str(sampler.get('type')).split('.')[-1] == 'RepeatAugSampler'
    return int(sampler.get('num_repeats', 3)) if is_repeated else 1


def _refuse(message: str, key: str = KEY) -> NoReturn:
    raise KeyedValueError(message, key)
