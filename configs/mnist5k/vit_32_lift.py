# Lift: the tokens are projected to the teacher's width, at inference too.
_base_ = [
    '../_base_/models/mnist5k_feature_kd.py',
    '../_base_/datasets/mnist5k.py',
    '../_base_/schedules/mnist5k_20e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    architecture=dict(
        backbone=dict(out_type='raw', final_norm=False),
        neck=dict(type='mmvitkd.LiftProjector', in_channels=32, out_channels=64),
        head=dict(
            _delete_=True, type='LinearClsHead', num_classes=10, in_channels=64, init_cfg=None
        ),
    ),
    pairs=[('neck.norm', 5)],
)
