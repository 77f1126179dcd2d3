"""Convert state dicts between layouts, as pure functions."""

from . import lift_keys, wide_last_keys  # noqa: F401  (they register their rules)
