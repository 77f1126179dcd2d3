# Control: all blocks 36 wide, between Lift and WideLast in parameters.
_base_ = './vit_32_feature_kd.py'

model = dict(
    architecture=dict(
        backbone=dict(arch=dict(embed_dims=36, feedforward_channels=144)),
        head=dict(in_channels=36),
    ),
)
