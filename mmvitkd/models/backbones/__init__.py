"""Student backbones."""

from .vision_transformer import VisionTransformer
from .wide_last import WideLast

__all__ = ['VisionTransformer', 'WideLast']
