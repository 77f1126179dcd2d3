# The linear projector's tokens are forced to both: directions and spectral energy patterns.
_base_ = './vit_32_linear.py'

model = dict(
    pair_extra_losses=dict(
        subspace=dict(type='mmvitkd.SubspaceLoss', d=10, loss_weight=10.0),
        sep=dict(type='mmvitkd.SEPLoss', loss_weight=300.0),
    ),
)
