# Control: the projector is forced to both, directions and spectral energy patterns.
_base_ = './cait_s24_deit_tiny_linear_softkd_mse_300e.py'

model = dict(
    pair_extra_losses=dict(
        subspace=dict(type='mmvitkd.SubspaceLoss', d=30, loss_weight=10.0),
        sep=dict(type='mmvitkd.SEPLoss', loss_weight=300.0),
    ),
)
