"""Measure models and their features: functions and accumulators on tensors."""

from ..models.utils.cost import Cost, DistillationCost, cost_of, distillation_cost_of
from .features.extractor import FeatureExtractor
from .features.gradients import feature_gradients
from .functional.channel_energy import ParticipationRatio, SortedChannelEnergy
from .functional.channel_spectrum import ChannelSpectrum
from .functional.linear_cka import LinearCKA, linear_cka
from .functional.linear_probe import LinearProbe, fit_linear_probe
from .functional.mean_magnitude import Magnitude
from .functional.principal_components import (
    PCABasis,
    PCADimensions,
    SecondMoment,
    pca_dimensions,
)
from .functional.relative_error import RelativeError
from .functional.ridge_readout import RidgeReadout
from .functional.sep_null import null_sep, null_tokens
from .functional.sep_permutation import SEPPermutation
from .functional.singular_values import (
    SVDDimensions,
    effective_rank,
    singular_values,
    svd_dimensions,
)
from .functional.spectral_energy import SEP, sep
from .functional.subspace_floor import SubspaceFloor
from .functional.subspace_rotation import SubspaceRotation
from .functional.token_entropy import TokenEntropy, ValueRange, token_entropy
from .functional.weighted_knn import weighted_knn
from .functional.width_floor import WidthFloor, pooling_loss, width_floor
from .layer_selection import LayerChoice, choose_layers

FeatureSource = FeatureExtractor  # the old name, for one release

__all__ = [
    'SEP',
    'ChannelSpectrum',
    'Cost',
    'DistillationCost',
    'FeatureExtractor',
    'FeatureSource',
    'LayerChoice',
    'LinearCKA',
    'LinearProbe',
    'Magnitude',
    'PCABasis',
    'PCADimensions',
    'ParticipationRatio',
    'RelativeError',
    'RidgeReadout',
    'SEPPermutation',
    'SVDDimensions',
    'SecondMoment',
    'SortedChannelEnergy',
    'SubspaceFloor',
    'SubspaceRotation',
    'TokenEntropy',
    'ValueRange',
    'WidthFloor',
    'choose_layers',
    'cost_of',
    'distillation_cost_of',
    'effective_rank',
    'feature_gradients',
    'fit_linear_probe',
    'linear_cka',
    'null_sep',
    'null_tokens',
    'pca_dimensions',
    'pooling_loss',
    'sep',
    'singular_values',
    'svd_dimensions',
    'token_entropy',
    'weighted_knn',
    'width_floor',
]
