# The demo's teacher: a ViT of 6 blocks, 64 wide, 16 tokens.
_base_ = [
    '../_base_/datasets/mnist5k.py',
    '../_base_/schedules/mnist5k_20e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmvitkd.VisionTransformer',
        arch=dict(embed_dims=64, num_layers=6, num_heads=4, feedforward_channels=256),
        img_size=28,
        patch_size=7,
    ),
    head=dict(
        type='VisionTransformerClsHead',
        num_classes=10,
        in_channels=64,
        init_cfg=dict(type='TruncNormal', layer='Linear', std=0.02),
    ),
)
