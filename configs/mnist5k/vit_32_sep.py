# The linear projector's tokens are forced to the teacher's spectral energy patterns.
_base_ = './vit_32_linear.py'

model = dict(
    pair_extra_losses=dict(
        # At the end of a training without it, 3 times the gradient of the weighted MSE.
        sep=dict(type='mmvitkd.SEPLoss', loss_weight=300.0),
    ),
)
