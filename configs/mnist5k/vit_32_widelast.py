# WideLast: the last block is as wide as the teacher.
_base_ = './vit_32_feature_kd.py'

model = dict(
    architecture=dict(
        backbone=dict(
            _delete_=True,
            type='mmvitkd.WideLast',
            base=dict(
                type='VisionTransformer',
                arch=dict(embed_dims=32, num_layers=6, num_heads=2, feedforward_channels=128),
                img_size=28,
                patch_size=7,
            ),
            width=64,
        ),
        head=dict(in_channels=64),
    ),
)
