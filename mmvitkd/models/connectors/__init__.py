"""Connectors: what happens to a recorded feature before the loss sees it."""

from .tokens_to_map import TokensToMap

__all__ = ['TokensToMap']
