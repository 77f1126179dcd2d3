"""Feature losses, called by a distiller as ``loss(preds_S, preds_T)``; label smoothing."""

from .align_features import align
from .cosine_smooth_l1_loss import CosineSmoothL1Loss
from .feature_mse_loss import FeatureMSELoss
from .label_smooth_loss import LabelSmoothLoss
from .sep_loss import SEPLoss
from .spectral_loss import SpectralLoss
from .subspace_loss import SubspaceLoss

__all__ = [
    'CosineSmoothL1Loss',
    'FeatureMSELoss',
    'LabelSmoothLoss',
    'SEPLoss',
    'SpectralLoss',
    'SubspaceLoss',
    'align',
]
