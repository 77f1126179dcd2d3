# WideLast: the last block is as wide as the teacher.
_base_ = './vit_48_feature_kd.py'

model = dict(
    architecture=dict(
        backbone=dict(
            _delete_=True,
            type='mmvitkd.WideLast',
            base=dict(
                type='VisionTransformer',
                arch={{_base_.vit_48}},
                img_size=28,
                patch_size=7),
            width=96),
        head=dict(in_channels=96)),
)
