"""Measures of models and features: no registry, no files."""

from ..models.utils.cost import Cost, DistillationCost, cost_of, distillation_cost_of
from .features.extractor import FeatureExtractor
from .functional.channel_energy import ParticipationRatio, SortedChannelEnergy
from .functional.channel_spectrum import ChannelSpectrum
from .functional.cka import LinearCKA
from .functional.entropy import TokenEntropy, ValueRange
from .functional.gradients import (
    feature_gradients,
    integrated_gradients,
    saliency,
    saliency_map,
    smooth_grad,
)
from .functional.magnitude import Magnitude
from .functional.pca import PCABasis, PCADimensions, SecondMoment
from .functional.rotation import SubspaceRotation
from .functional.sep import SEP
from .functional.sep_null import null_sep, null_tokens
from .functional.sep_permutation import SEPPermutation
from .functional.singular_values import SVDDimensions, effective_rank, singular_values
from .layer_selection import LayerChoice, choose_layers

__all__ = [
    'SEP',
    'ChannelSpectrum',
    'Cost',
    'DistillationCost',
    'FeatureExtractor',
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
