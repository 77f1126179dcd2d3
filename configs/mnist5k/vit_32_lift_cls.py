# Control: Lift's width without its pooling. The projected class token goes to the head.
_base_ = './vit_32_lift.py'

model = dict(architecture=dict(neck=dict(pooling='cls')))
