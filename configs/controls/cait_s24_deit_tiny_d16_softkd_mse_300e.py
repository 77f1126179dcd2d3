# Control: four blocks more, 2.5 % more parameters than WideLast. Compare
# cait_s24_deit_tiny_widelast.py.
_base_ = './cait_s24_deit_tiny_plain_softkd_mse_300e.py'

model = dict(
    architecture=dict(backbone=dict(arch=dict(num_layers=16))),
    pairs=[(15, 23)],
)
