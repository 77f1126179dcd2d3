# Control: WideLast's parameters, less 60, spent on the MLPs of all blocks (ratio 7.2).
_base_ = './vit_32_feature_kd.py'

model = dict(architecture=dict(backbone=dict(arch=dict(feedforward_channels=230))))
