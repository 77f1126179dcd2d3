# Control: the projector is forced into the teacher's 30 leading directions of each image. Its
# weight is that of the digits: compare gradients first, with benchmarks/loss_gradients.py.
_base_ = './cait_s24_deit_tiny_linear_softkd_mse_300e.py'

model = dict(
    pair_extra_losses=dict(
        subspace=dict(type='mmvitkd.SubspaceLoss', d=30, loss_weight=10.0),
    ),
)
