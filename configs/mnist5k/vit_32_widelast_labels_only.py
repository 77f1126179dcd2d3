# Control: the demo's WideLast without a teacher.
_base_ = [
    '../_base_/datasets/mnist5k.py',
    '../_base_/schedules/mnist5k_20e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmvitkd.WideLast',
        base=dict(
            type='VisionTransformer',
            arch=dict(embed_dims=32, num_layers=6, num_heads=2, feedforward_channels=128),
            img_size=28,
            patch_size=7,
        ),
        width=64,
    ),
    head=dict(
        type='VisionTransformerClsHead',
        num_classes=10,
        in_channels=64,
        init_cfg=dict(type='TruncNormal', layer='Linear', std=0.02),
    ),
)
