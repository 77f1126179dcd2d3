# Control: WideLast's parameters, and 2,040 more, spent on the MLPs of all blocks (ratio 5.8).
# Compare cait_s24_deit_tiny_widelast.py.
_base_ = './cait_s24_deit_tiny_plain_softkd_mse_300e.py'

model = dict(architecture=dict(backbone=dict(arch=dict(feedforward_channels=1114))))
