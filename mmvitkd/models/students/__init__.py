"""Students without labels; starts from pretrained narrow models."""

from .image_encoder import ImageEncoder
from .init_from_checkpoint import Initialization, narrow_start
from .round_trip import check_round_trip
from .wrapped_config import check_wrapped

__all__ = [
    'ImageEncoder',
    'Initialization',
    'check_round_trip',
    'check_wrapped',
    'narrow_start',
]
