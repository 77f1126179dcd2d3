# WideLast: the last block is as wide as the teacher.
_base_ = [
    '../_base_/models/elpv_feature_kd.py',
    '../_base_/datasets/elpv.py',
    '../_base_/schedules/elpv_50e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    architecture=dict(
        backbone=dict(
            _delete_=True,
            type='mmvitkd.WideLast',
            base=dict(
                type='VisionTransformer',
                arch=dict(embed_dims=192, num_layers=6, num_heads=3, feedforward_channels=768),
                img_size=112,
                patch_size=14,
            ),
            width=384,
        ),
        head=dict(in_channels=384),
    ),
)
