# Lift: the tokens are projected to the teacher's width, at inference too.
_base_ = [
    '../_base_/models/elpv_feature_kd.py',
    '../_base_/datasets/elpv.py',
    '../_base_/schedules/elpv_50e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    architecture=dict(
        backbone=dict(out_type='raw', final_norm=False),
        neck=dict(type='mmvitkd.LiftProjector', in_channels=192, out_channels=384),
        head=dict(
            _delete_=True, type='LinearClsHead', num_classes=2, in_channels=384, init_cfg=None
        ),
    ),
    pairs=[('neck.norm', 11)],
)
