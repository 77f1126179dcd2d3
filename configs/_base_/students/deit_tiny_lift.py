# DeiT-Tiny whose tokens are lifted to 384 channels (Lift, arXiv 2511.15572).
student = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmvitkd.VisionTransformer',
        arch=dict(embed_dims=192, num_layers=12, num_heads=3, feedforward_channels=768),
        img_size=224,
        patch_size=16,
        out_type='raw',
        final_norm=False,
    ),
    neck=dict(type='mmvitkd.LiftProjector', in_channels=192, out_channels=384),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=384,
        init_cfg=None,  # PyTorch's own, as published
        loss=dict(type='mmvitkd.LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
    ),
)
