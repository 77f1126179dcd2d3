# Control: the demo's Lift without a teacher.
_base_ = './vit_32.py'

model = dict(
    backbone=dict(out_type='raw', final_norm=False),
    neck=dict(type='mmvitkd.LiftProjector', in_channels=32, out_channels=64),
    head=dict(
        _delete_=True, type='LinearClsHead', num_classes=10, in_channels=64, init_cfg=None
    ),
)
