# Control: Lift's pooling without its width. Normalised tokens, their mean to the head.
_base_ = './vit_32_lift.py'

model = dict(
    architecture=dict(neck=dict(out_channels=None), head=dict(in_channels=32)),
)
