# A linear projector with a bias to the teacher's width, which is discarded.
_base_ = './vit_32_feature_kd.py'

model = dict(pair_projector=dict(in_channels=32, out_channels=64, norm=None, bias=True))
