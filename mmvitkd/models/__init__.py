"""Backbones, necks, connectors, losses, teachers and the algorithm."""

from .algorithms import FeatureDistill
from .backbones import VisionTransformer, WideLast
from .connectors import PatchTokens, ProjectorConnector, TargetTokens, TokensToMap
from .losses import (
    CosineSmoothL1Loss,
    FeatureMSELoss,
    LabelSmoothLoss,
    SEPLoss,
    SpectralLoss,
    SubspaceLoss,
)
from .necks import LiftProjector
from .students import ImageEncoder
from .teachers import BaseTeacher, Teacher
from .utils.data_preprocessor import ClsDataPreprocessor

__all__ = [
    'BaseTeacher',
    'ClsDataPreprocessor',
    'CosineSmoothL1Loss',
    'FeatureDistill',
    'FeatureMSELoss',
    'ImageEncoder',
    'LabelSmoothLoss',
    'LiftProjector',
    'PatchTokens',
    'ProjectorConnector',
    'SEPLoss',
    'SpectralLoss',
    'SubspaceLoss',
    'TargetTokens',
    'Teacher',
    'TokensToMap',
    'VisionTransformer',
    'WideLast',
]
