# DeiT-Small whose last block is 768 wide (WideLast, arXiv 2511.15572).
student = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmvitkd.WideLast',
        base=dict(
            type='VisionTransformer',
            arch=dict(embed_dims=384, num_layers=12, num_heads=6, feedforward_channels=1536),
            img_size=224,
            patch_size=16,
        ),
        width=768,
    ),
    head=dict(
        type='VisionTransformerClsHead',
        num_classes=1000,
        in_channels=768,
        init_cfg=dict(type='TruncNormal', layer='Linear', std=0.02),
        loss=dict(type='mmvitkd.LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
    ),
)
