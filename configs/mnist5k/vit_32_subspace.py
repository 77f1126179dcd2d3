# The linear projector is forced into the teacher's 10 leading directions of each image.
_base_ = './vit_32_linear.py'

model = dict(
    pair_extra_losses=dict(
        # At the end of a training without it, 3 times the gradient of the weighted MSE.
        subspace=dict(type='mmvitkd.SubspaceLoss', d=10, loss_weight=10.0),
    ),
)
