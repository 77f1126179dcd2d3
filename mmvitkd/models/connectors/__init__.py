"""Connectors, which prepare a recorded feature for a loss."""

from .patch_tokens_connector import PatchTokens
from .projector_connector import ProjectorConnector
from .target_tokens_connector import TargetTokens
from .tokens_to_map import TokensToMap

__all__ = ['PatchTokens', 'ProjectorConnector', 'TargetTokens', 'TokensToMap']
