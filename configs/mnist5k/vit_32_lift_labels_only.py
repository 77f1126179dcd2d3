# Control: the demo's Lift without a teacher.
_base_ = [
    '../_base_/datasets/mnist5k.py',
    '../_base_/schedules/mnist5k_20e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmvitkd.VisionTransformer',
        arch=dict(embed_dims=32, num_layers=6, num_heads=2, feedforward_channels=128),
        img_size=28,
        patch_size=7,
        out_type='raw',
        final_norm=False,
    ),
    neck=dict(type='mmvitkd.LiftProjector', in_channels=32, out_channels=64),
    head=dict(type='LinearClsHead', num_classes=10, in_channels=64, init_cfg=None),
)
