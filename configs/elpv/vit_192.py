# Six blocks 192 wide on 8 x 8 patches of 14 px, from labels only.
_base_ = [
    '../_base_/datasets/elpv.py',
    '../_base_/schedules/elpv_50e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmvitkd.VisionTransformer',
        arch=dict(embed_dims=192, num_layers=6, num_heads=3, feedforward_channels=768),
        img_size=112,
        patch_size=14,
    ),
    head=dict(
        type='VisionTransformerClsHead',
        num_classes=2,
        in_channels=192,
        init_cfg=dict(type='TruncNormal', layer='Linear', std=0.02),
    ),
)
