# Control: nine blocks instead of six, 1.4 % fewer parameters than WideLast.
_base_ = './vit_32_feature_kd.py'

model = dict(
    architecture=dict(backbone=dict(arch=dict(num_layers=9))),
    pairs=[(8, 5)],
)
