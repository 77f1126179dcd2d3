# Control: the projector is forced to the teacher's spectral energy patterns. Its weight is that
# of the digits: compare gradients first, with benchmarks/loss_gradients.py.
_base_ = './cait_s24_deit_tiny_linear_softkd_mse_300e.py'

model = dict(
    pair_extra_losses=dict(
        sep=dict(type='mmvitkd.SEPLoss', loss_weight=300.0),
    ),
)
