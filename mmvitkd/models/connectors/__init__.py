"""Connectors: what happens to a recorded feature before the loss sees it."""

from .projector_connector import ProjectorConnector
from .tokens_to_map import TokensToMap

__all__ = ['ProjectorConnector', 'TokensToMap']
