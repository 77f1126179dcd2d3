"""Student backbones."""

from .vision_transformer import VisionTransformer
from .wide_last import WideLast
from .wide_last_swin import WideLastSwin
from .wide_last_vit import WideLastViT

__all__ = ['VisionTransformer', 'WideLast', 'WideLastSwin', 'WideLastViT']
