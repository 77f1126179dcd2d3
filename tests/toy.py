"""Small models that several tests share."""

ARCH = dict(embed_dims=16, num_layers=3, num_heads=2, feedforward_channels=32)
WIDE_ARCH = dict(embed_dims=32, num_layers=4, num_heads=4, feedforward_channels=64)
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
PREPROCESSOR = dict(type='mmpretrain.ClsDataPreprocessor', mean=MEAN, std=STD, to_rgb=True)


def vit(arch=ARCH, num_classes=5, **backbone):
    """The config of an MMPretrain classifier of 32 x 32 images, 8 x 8 patches."""
    return dict(
        type='mmpretrain.ImageClassifier',
        data_preprocessor=dict(PREPROCESSOR),
        backbone=dict(
            type='mmpretrain.VisionTransformer',
            arch=arch,
            img_size=32,
            patch_size=8,
            **backbone,
        ),
        head=dict(
            type='mmpretrain.VisionTransformerClsHead',
            num_classes=num_classes,
            in_channels=arch['embed_dims'],
        ),
    )


def timm_vit(num_classes=5, **kwargs):
    """The config of a small timm ViT with the same grid, behind MMPretrain's wrapper."""
    return dict(
        type='mmpretrain.TimmClassifier',
        model_name='vit_tiny_patch16_224',
        img_size=32,
        patch_size=8,
        embed_dim=32,
        depth=4,
        num_heads=4,
        num_classes=num_classes,
        **kwargs,
    )
