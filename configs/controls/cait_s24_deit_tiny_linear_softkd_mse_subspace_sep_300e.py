# Control: the projector is forced to both, directions and spectral energy patterns.
_base_ = './cait_s24_deit_tiny_linear_softkd_mse_subspace_300e.py'

model = dict(
    pair_extra_losses=dict(
        sep=dict(type='mmvitkd.SEPLoss', loss_weight=300.0),
    ),
)
