# The linear projector's tokens are forced to both: directions and spectral energy patterns.
_base_ = './vit_32_subspace.py'

model = dict(
    pair_extra_losses=dict(
        sep=dict(type='mmvitkd.SEPLoss', loss_weight=300.0),
    ),
)
