# Control: one block more, between Lift and WideLast in parameters. Compare
# cait_s24_deit_tiny_widelast.py.
_base_ = './cait_s24_deit_tiny_plain_softkd_mse_300e.py'

model = dict(
    architecture=dict(backbone=dict(arch=dict(num_layers=13))),
    pairs=[(12, 23)],
)
