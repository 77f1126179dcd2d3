"""Say which part of a config an error is about that comes up when the part is built or used."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import deepcopy
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from ...config.schema.parts import parts_of
from ...utils import random_state
from ...utils.cli import blame
from ...utils.errors import KeyedError

LONGEST = 60  # characters of a value in a message


@contextmanager
def blaming(key: str, settings: Any = None) -> Iterator[None]:
    """Add to errors that name no setting which part of the config they are about.

    Args:
        key: The part.
        settings: Its settings, which the error lists; None to leave them out.
    """
    try:
        yield
    except (KeyedError, OSError):  # which name a setting, or a file
        raise
    except Exception as error:
        blame(error, key, described(settings))
        raise


@contextmanager
def blaming_model(cfg: Config) -> Iterator[None]:
    """Do so for the part of a model that cannot be built."""
    try:
        yield
    except (KeyedError, OSError):
        raise
    except Exception as error:
        key, settings = _failing_part(cfg, error)
        blame(error, key, described(settings))
        raise


def described(settings: Any) -> str:
    """Return settings as arguments, long values shortened."""
    if not isinstance(settings, Mapping):
        return '' if settings is None else _short(settings)
    return ', '.join(f'{name}={_short(value)}' for name, value in settings.items())


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else f'{text[:LONGEST]}...'


def _failing_part(cfg: Config, error: Exception) -> tuple[str, Any]:
    """Return the innermost part of a model that fails by itself with the same error."""
    models = [part for part in parts_of(cfg) if part.key.partition('.')[0] == 'model']
    state = random_state.get_state()
    try:
        for part in reversed(models):
            found = _error_of(part.settings, cfg.get('default_scope'))
            if found and found in str(error):
                return part.key, part.settings
    finally:
        random_state.set_state(state)
    return 'model', None


def _error_of(settings: Mapping[str, Any], scope: str | None) -> str:
    """Return the message of the error that building a part raises, if any."""
    try:
        with DefaultScope.overwrite_default_scope(scope), torch.device('meta'):
            MODELS.build(deepcopy(dict(settings)))
    except Exception as error:
        return str(error)
    return ''


def failing_transform(dataset: Any, key: str) -> tuple[str, Any]:
    """Return the transform that the first sample of a data set fails in, with its settings."""
    pipeline = getattr(dataset, 'pipeline', None)
    with suppress(Exception):
        sample = dataset.get_data_info(0)
        for index, step in enumerate(pipeline.transforms):
            place = f'{key}.pipeline.{index} ({type(step).__name__})'
            try:
                sample = step(sample)
            except Exception:
                return place, {k: v for k, v in vars(step).items() if not k.startswith('_')}
    return key, None
