"""Measures, each in a file of its own; reports list them in the order of these lines."""

# isort: off
from .svd import SVDMeasure
from .pca import PCAMeasure
from .rotation import RotationMeasure
from .sep import SEPMeasure
from .permutation import PermutationMeasure
from .energy import EnergyMeasure
from .effective_rank import EffectiveRankMeasure
from .cka import CKAMeasure
from .spectrum import SpectrumMeasure
from .entropy import EntropyMeasure
from .magnitude import MagnitudeMeasure
from .gradient import GradientMeasure
# isort: on

__all__ = [
    'CKAMeasure',
    'EffectiveRankMeasure',
    'EnergyMeasure',
    'EntropyMeasure',
    'GradientMeasure',
    'MagnitudeMeasure',
    'PCAMeasure',
    'PermutationMeasure',
    'RotationMeasure',
    'SEPMeasure',
    'SVDMeasure',
    'SpectrumMeasure',
]
