"""Feature distillation between Vision Transformers, as an OpenMMLab plugin."""

from . import compat

ADAPTATIONS = compat.apply()

from . import datasets, engine, metrics, models  # noqa: E402
from .version import __version__  # noqa: E402

__all__ = ['ADAPTATIONS', '__version__', 'datasets', 'engine', 'metrics', 'models']
