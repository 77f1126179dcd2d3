# A linear projector to the teacher's width, which is discarded.
_base_ = [
    '../_base_/models/elpv_feature_kd.py',
    '../_base_/datasets/elpv.py',
    '../_base_/schedules/elpv_50e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    pair_projector=dict(in_channels=192, out_channels=384, norm=None, bias=True),
)
