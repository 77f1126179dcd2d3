# WideLast: the last block is as wide as the teacher.
_base_ = './vit_32_feature_kd.py'

model = dict(
    architecture=dict(
        backbone=dict(
            _delete_=True,
            type='mmvitkd.WideLast',
            base=dict(
                type='VisionTransformer', arch={{_base_.vit_32}}, img_size=28, patch_size=7
            ),
            width=64,
        ),
        head=dict(in_channels=64),
    ),
)
