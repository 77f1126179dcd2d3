"""Backbones, necks, connectors, losses, teachers and the algorithm."""

from .algorithms import FeatureDistill
from .backbones import VisionTransformer, WideLast
from .connectors import ProjectorConnector, TokensToMap
from .losses import FeatureMSELoss, LabelSmoothLoss, SpectralLoss
from .necks import LiftProjector
from .teachers import Teacher
from .utils.data_preprocessor import ClsDataPreprocessor

__all__ = [
    'ClsDataPreprocessor',
    'FeatureDistill',
    'FeatureMSELoss',
    'LabelSmoothLoss',
    'LiftProjector',
    'ProjectorConnector',
    'SpectralLoss',
    'Teacher',
    'TokensToMap',
    'VisionTransformer',
    'WideLast',
]
