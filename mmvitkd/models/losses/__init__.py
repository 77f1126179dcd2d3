"""Feature losses, called by a distiller as ``loss(preds_S, preds_T)``."""

from .feature_mse_loss import FeatureMSELoss
from .spectral_loss import SpectralLoss

__all__ = ['FeatureMSELoss', 'SpectralLoss']
