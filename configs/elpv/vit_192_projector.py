# A linear projector to the teacher's width, which is discarded.
_base_ = './vit_192_feature_kd.py'

model = dict(
    pair_projector=dict(in_channels=192, out_channels=384, norm=None, bias=True),
)
