"""Logging without host-device synchronisation."""

from .async_history_buffer import AsyncHistoryBuffer

__all__ = ['AsyncHistoryBuffer']
