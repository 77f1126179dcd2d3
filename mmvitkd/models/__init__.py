"""Backbones, necks, connectors, losses, teachers and the algorithm."""

from .algorithms import FeatureDistill
from .backbones import VisionTransformer, WideLast
from .connectors import ProjectorConnector, TokensToMap
from .losses import FeatureMSELoss, SpectralLoss
from .necks import LiftProjector
from .teachers import Teacher

__all__ = [
    'FeatureDistill',
    'FeatureMSELoss',
    'LiftProjector',
    'ProjectorConnector',
    'SpectralLoss',
    'Teacher',
    'TokensToMap',
    'VisionTransformer',
    'WideLast',
]
