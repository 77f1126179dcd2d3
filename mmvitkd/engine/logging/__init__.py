"""Logging without host-device synchronisation, and in whole lines."""

from .async_history_buffer import AsyncHistoryBuffer
from .local_vis_backend import LocalVisBackend

__all__ = ['AsyncHistoryBuffer', 'LocalVisBackend']
