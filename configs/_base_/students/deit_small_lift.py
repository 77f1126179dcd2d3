# DeiT-Small whose tokens are lifted to 768 channels (Lift, arXiv 2511.15572).
student = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmvitkd.VisionTransformer',
        arch=dict(embed_dims=384, num_layers=12, num_heads=6, feedforward_channels=1536),
        img_size=224,
        patch_size=16,
        out_type='raw',
        final_norm=False,
    ),
    neck=dict(type='mmvitkd.LiftProjector', in_channels=384, out_channels=768),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=768,
        init_cfg=None,  # PyTorch's own, as published
        loss=dict(type='mmvitkd.LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
    ),
)
