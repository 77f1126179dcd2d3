# A linear projector with a bias to the teacher's width, which is discarded.
_base_ = [
    '../_base_/models/mnist5k_feature_kd.py',
    '../_base_/datasets/mnist5k.py',
    '../_base_/schedules/mnist5k_20e.py',
    '../_base_/default_runtime.py',
]

model = dict(pair_projector=dict(in_channels=32, out_channels=64, norm=None, bias=True))
