"""What a student starts from."""

from .pretrained import Fill, narrow_start

__all__ = ['Fill', 'narrow_start']
