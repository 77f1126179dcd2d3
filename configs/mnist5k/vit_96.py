# The demo's teacher: a ViT of 6 blocks, 96 wide, 16 tokens.
_base_ = [
    '../_base_/datasets/mnist5k.py',
    '../_base_/schedules/mnist5k_30e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmvitkd.VisionTransformer',
        arch=dict(
            embed_dims=96,
            num_layers=6,
            num_heads=6,
            feedforward_channels=384),
        img_size=28,
        patch_size=7),
    head=dict(
        type='VisionTransformerClsHead',
        num_classes=10,
        in_channels=96,
        init_cfg=dict(type='TruncNormal', layer='Linear', std=0.02)),
)
