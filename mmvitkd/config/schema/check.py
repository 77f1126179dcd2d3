"""Check a whole config in one place, before anything is built."""

from logging import WARNING

from mmengine.config import Config
from mmengine.logging import print_log

from ...suggestions import close_names
from ...utils.errors import KeyedValueError
from ..layers import Layers
from .arguments import check_arguments
from .fixed_parts import check_fixed_parts
from .parts import parts_of
from .top_level import check_ineffective, check_top_level
from .values import check_values, settings_of

# What MMEngine reads in any dict.
UNDERSCORED = ('_scope_', '_delete_', '_base_')


def check_settings(cfg: Config, layers: Layers) -> None:
    """Check the names, types and ranges of a config's settings; log what may not be meant.

    Args:
        cfg: The config of a run, as it was written: before its shortcuts are applied.
        layers: Its files.

    Raises:
        KeyedValueError: If nothing reads a key, or a value cannot be used.
    """
    warnings = check_top_level(cfg, layers)
    _check_underscores(cfg)
    check_fixed_parts(cfg)
    for part in parts_of(cfg):
        check_arguments(part)
    check_ineffective(layers)
    warnings += check_values(cfg)
    for warning in warnings:
        print_log(warning if warning.endswith('?') else f'{warning}.', 'current', WARNING)


def _check_underscores(cfg: Config) -> None:
    """Check that MMEngine's own keys are spelt as it reads them."""
    for key, value in settings_of(dict(cfg)):
        name = key.rpartition('.')[2]
        if name == '_scope_' and not isinstance(value, str | None):
            raise KeyedValueError(f'{{{key}}}={value!r}: wanted the name of a package.', key)
        if not name.startswith('_') or name in UNDERSCORED:
            continue
        close = close_names(name, UNDERSCORED, n=1, cutoff=0.7)
        if close:
            raise KeyedValueError(
                f'{{{key}}}: nothing reads this key; did you mean {close[0]}?', key
            )
