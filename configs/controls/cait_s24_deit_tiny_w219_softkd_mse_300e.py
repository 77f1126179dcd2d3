# Control: all blocks 219 wide, 0.8 % more parameters than WideLast. Compare
# cait_s24_deit_tiny_widelast.py.
_base_ = './cait_s24_deit_tiny_plain_softkd_mse_300e.py'

model = dict(
    architecture=dict(
        backbone=dict(arch=dict(embed_dims=219, feedforward_channels=876)),
        head=dict(in_channels=219),
    ),
)
