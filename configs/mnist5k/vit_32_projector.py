# Control: Lift's projection serves the loss alone and is discarded; the student is plain.
_base_ = './vit_32_feature_kd.py'

model = dict(pair_projector=dict(in_channels=32, out_channels=64, norm='LN'))
