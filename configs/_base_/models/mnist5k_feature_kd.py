# The demo's distillation: a 32-wide student's last block imitates a 64-wide teacher's.
model = dict(
    type='mmvitkd.FeatureDistill',
    architecture=dict(
        type='ImageClassifier',
        backbone=dict(
            type='mmvitkd.VisionTransformer',
            arch=dict(embed_dims=32, num_layers=6, num_heads=2, feedforward_channels=128),
            img_size=28,
            patch_size=7,
        ),
        head=dict(
            type='VisionTransformerClsHead',
            num_classes=10,
            in_channels=32,
            init_cfg=dict(type='TruncNormal', layer='Linear', std=0.02),
        ),
    ),
    teacher=dict(
        type='ImageClassifier',
        data_preprocessor=dict(mean=[33.3, 33.3, 33.3], std=[78.6, 78.6, 78.6], to_rgb=True),
        backbone=dict(
            type='VisionTransformer',
            arch=dict(embed_dims=64, num_layers=6, num_heads=4, feedforward_channels=256),
            img_size=28,
            patch_size=7,
        ),
        head=dict(type='VisionTransformerClsHead', num_classes=10, in_channels=64),
    ),
    teacher_ckpt='work_dirs/demo/vit_64/epoch_20.pth',
    pairs=[(5, 5)],
    pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=0.2),
)
