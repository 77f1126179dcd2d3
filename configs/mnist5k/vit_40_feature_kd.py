# Control: all blocks 40 wide, 3.0 % more parameters than WideLast.
_base_ = './vit_32_feature_kd.py'

model = dict(
    architecture=dict(
        backbone=dict(arch=dict(embed_dims=40, feedforward_channels=160)),
        head=dict(in_channels=40),
    ),
)
