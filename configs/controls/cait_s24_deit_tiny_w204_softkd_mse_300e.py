# Control: all blocks 204 wide, between Lift and WideLast in parameters. Compare
# cait_s24_deit_tiny_widelast.py.
_base_ = './cait_s24_deit_tiny_plain_softkd_mse_300e.py'

model = dict(
    architecture=dict(
        backbone=dict(arch=dict(embed_dims=204, feedforward_channels=816)),
        head=dict(in_channels=204),
    ),
)
