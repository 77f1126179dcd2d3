"""MDBN: the network, its data, its metric and what a user calls."""

from .bicubic import enlarge_bicubic, shrink
from .checkpoint import load_network
from .luma_metric import LumaQuality
from .model import SuperResolver, UnitRangePreprocessor
from .network import MDBN
from .paired_images import PairedImages
from .super_resolve import super_resolve

__all__ = [
    'MDBN',
    'LumaQuality',
    'PairedImages',
    'SuperResolver',
    'UnitRangePreprocessor',
    'enlarge_bicubic',
    'load_network',
    'shrink',
    'super_resolve',
]
