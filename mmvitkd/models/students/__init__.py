"""What a student starts from."""

from .init_from_checkpoint import Fill, narrow_start

__all__ = ['Fill', 'narrow_start']
