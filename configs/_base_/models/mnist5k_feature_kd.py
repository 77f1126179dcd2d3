# The demo's distillation: a 48-wide student's last block follows a 96-wide teacher's.
vit_48 = dict(
    embed_dims=48, num_layers=6, num_heads=3, feedforward_channels=192)
head = dict(
    type='VisionTransformerClsHead',
    num_classes=10,
    in_channels=48,
    init_cfg=dict(type='TruncNormal', layer='Linear', std=0.02))

model = dict(
    type='mmvitkd.FeatureDistill',
    architecture=dict(
        type='ImageClassifier',
        backbone=dict(
            type='mmvitkd.VisionTransformer',
            arch=vit_48,
            img_size=28,
            patch_size=7),
        head=head),
    teacher=dict(
        type='ImageClassifier',
        data_preprocessor=dict(
            mean=[33.3, 33.3, 33.3], std=[78.6, 78.6, 78.6], to_rgb=True),
        backbone=dict(
            type='VisionTransformer',
            arch=dict(
                embed_dims=96,
                num_layers=6,
                num_heads=6,
                feedforward_channels=384),
            img_size=28,
            patch_size=7),
        head=dict(
            type='VisionTransformerClsHead', num_classes=10, in_channels=96)),
    teacher_ckpt='work_dirs/demo/vit_96/epoch_30.pth',
    pairs=[(5, 5)],
    pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=0.2),
)
