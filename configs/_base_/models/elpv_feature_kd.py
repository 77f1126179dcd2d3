# The study's distillation: DINOv2-S/14, read from a cache, into six blocks 192 wide.
teacher_cache = dict(dir='work_dirs/caches/elpv', views=10, features='fp16', full_features=True)

model = dict(
    type='mmvitkd.FeatureDistill',
    architecture=dict(
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
    ),
    teacher=dict(type='timm:vit_small_patch14_dinov2', img_size=112, num_classes=0),
    teacher_ckpt='checkpoints/dinov2_small.safetensors',
    pairs=[(5, 11)],
    pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=1.0),
    pair_target='standardised',
)
