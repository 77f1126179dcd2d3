# Control: one block more instead of a wider one.
_base_ = './vit_32_feature_kd.py'

model = dict(
    architecture=dict(backbone=dict(arch=dict(num_layers=7))),
    pairs=[(6, 5)],
)
