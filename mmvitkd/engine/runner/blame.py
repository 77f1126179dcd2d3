"""Say which part of a config an error is about that comes up when the part is built or used."""

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import deepcopy
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from ...config.schema.parts import Part, parts_of
from ...datasets.dataset_names import innermost
from ...utils import random_state
from ...utils.errors import KeyedError, add_note

LONGEST = 150  # characters of a value in a message
TRIALS = 50


@contextmanager
def blaming(key: str, settings: Any = None, cfg: Config | None = None) -> Iterator[None]:
    """Add to errors that name no setting which part of the config they are about.

    Args:
        key: The part, or several with ' or ' between them.
        settings: Its settings, which the error lists; None to leave them out.
        cfg: The config, to look for the innermost part that fails.
    """
    try:
        yield
    except (KeyedError, OSError):  # which name a setting, or a file
        raise
    except Exception as error:
        if cfg is not None:
            found, inner = _failing_part(cfg, tuple(key.split(' or ')), error)
            key, settings = found, settings if inner is None else inner
        *_, (frame, _) = traceback.walk_tb(error.__traceback__)
        is_ours = str(frame.f_globals.get('__name__')).startswith('mmvitkd.')
        says_what = is_ours and isinstance(error, ValueError)
        _note(error, key, '' if says_what else described(settings))
        raise


def _note(error: Exception, key: str, settings: str) -> None:
    """Note which part an error is about, unless it is known more exactly.

    A tool then tells it in a line that begins with the part (``format_error``), as long as no
    module of the user's raised it.
    """
    if not hasattr(error, 'config_key'):
        error.config_key = key  # type: ignore[attr-defined]
        if settings:
            add_note(error, f'(given {settings})')


def described(settings: Any) -> str:
    """Return settings as arguments, long values shortened."""
    if not isinstance(settings, Mapping):
        return '' if settings is None else _short(settings)
    return ', '.join(f'{name}={_short(value)}' for name, value in settings.items())


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else f'{text[:LONGEST]}...'


def _failing_part(cfg: Config, keys: tuple[str, ...], error: Exception) -> tuple[str, Any]:
    """Return the innermost part under some keys that fails by itself with the same error."""
    scope = DefaultScope.overwrite_default_scope(cfg.get('default_scope'))
    with random_state.preserved(), scope:
        for part in reversed(list(parts_of(cfg))):
            if part.key.startswith(keys) and _error_of(part) in _texts(error):
                return part.key, part.settings
    return ' or '.join(keys), None


def _texts(error: Exception) -> list[str]:
    """Return the message of an error without what MMEngine's builder puts before it."""
    texts = [str(error) or type(error).__name__]
    while texts[-1].startswith('class `') and ': ' in texts[-1]:
        texts.append(texts[-1].partition('.py: ')[2])
    return texts


def _error_of(part: Part) -> str | None:
    """Return the message of the error that building a part raises, if any."""
    settings = {k: v for k, v in part.settings.items() if k not in ('type', '_scope_')}
    try:
        with torch.device('meta'):
            part.call(**deepcopy(settings))
    except Exception as error:
        return str(error) or type(error).__name__
    return None


def failing_transform(dataset: Any, key: str, cfg: Config) -> tuple[str, Any]:
    """Return the place of the transform that fails on the first samples, with its settings.

    Args:
        dataset: The data set.
        key: Its key in the config.
        cfg: The config.
    """
    while hasattr(dataset, 'dataset'):
        dataset = dataset.dataset
    pipeline: Any = getattr(dataset, 'pipeline', None)
    with suppress(Exception):
        settings, key = next(innermost(cfg[key.partition('.')[0]]['dataset'], key))
        for number in range(TRIALS):  # as some transforms are applied at random
            sample = dataset.get_data_info(number % len(dataset))
            for index, step in enumerate(pipeline.transforms):
                try:
                    sample = step(sample)
                except Exception:
                    return f'{key}.pipeline.{index}', settings['pipeline'][index]
    return key, None
