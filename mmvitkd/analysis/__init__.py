"""Measures of models and features: no registry, no files."""

from .channel_energy import ParticipationRatio, SortedChannelEnergy
from .channel_spectrum import ChannelSpectrum
from .cka import LinearCKA
from .cost import Cost, DistillationCost, cost_of, distillation_cost_of
from .entropy import TokenEntropy, ValueRange
from .feature_source import FeatureSource
from .gradients import (
    feature_gradients,
    integrated_gradients,
    saliency,
    saliency_map,
    smooth_grad,
)
from .layer_choice import LayerChoice, choose_layers
from .magnitude import Magnitude
from .pca import PCABasis, PCADimensions, SecondMoment
from .rotation import SubspaceRotation
from .sep import SEP
from .sep_null import null_sep, null_tokens
from .sep_permutation import SEPPermutation
from .singular_values import SVDDimensions, effective_rank, singular_values

__all__ = [
    'SEP',
    'ChannelSpectrum',
    'Cost',
    'DistillationCost',
    'FeatureSource',
    'LayerChoice',
    'LinearCKA',
    'Magnitude',
    'PCABasis',
    'PCADimensions',
    'ParticipationRatio',
    'SEPPermutation',
    'SVDDimensions',
    'SecondMoment',
    'SortedChannelEnergy',
    'SubspaceRotation',
    'TokenEntropy',
    'ValueRange',
    'choose_layers',
    'cost_of',
    'distillation_cost_of',
    'effective_rank',
    'feature_gradients',
    'integrated_gradients',
    'null_sep',
    'null_tokens',
    'saliency',
    'saliency_map',
    'singular_values',
    'smooth_grad',
]
