"""Students without labels; starts from pretrained narrow models."""

from .image_encoder import ImageEncoder
from .init_from_checkpoint import Initialization, narrow_start

__all__ = ['ImageEncoder', 'Initialization', 'narrow_start']
