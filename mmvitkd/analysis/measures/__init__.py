"""Register the measures, one per file; reports list them in the order of the imports."""

from ..plotting.figure import ReportFigure
from .base import ALL_FEATURES, BLOCKS, FEATURES, GRADIENTS, PAIRS, Measure, Table
from .block import Batch, Block

# isort: off
from .svd import SVDMeasure
from .pca import PCAMeasure
from .rotation import RotationMeasure
from .sep import SEPMeasure
from .permutation import PermutationMeasure
from .energy import EnergyMeasure
from .effective_rank import EffectiveRankMeasure
from .floor import FloorMeasure
from .projector_floor import SubspaceFloorMeasure
from .cka import CKAMeasure
from .spectrum import SpectrumMeasure
from .entropy import EntropyMeasure
from .magnitude import MagnitudeMeasure
from .gradient import GradientMeasure
# isort: on

__all__ = [
    'ALL_FEATURES',
    'BLOCKS',
    'FEATURES',
    'GRADIENTS',
    'PAIRS',
    'Batch',
    'Block',
    'CKAMeasure',
    'EffectiveRankMeasure',
    'EnergyMeasure',
    'EntropyMeasure',
    'FloorMeasure',
    'GradientMeasure',
    'MagnitudeMeasure',
    'Measure',
    'PCAMeasure',
    'PermutationMeasure',
    'ReportFigure',
    'RotationMeasure',
    'SEPMeasure',
    'SVDMeasure',
    'SpectrumMeasure',
    'SubspaceFloorMeasure',
    'Table',
]
