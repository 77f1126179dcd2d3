# Control: Lift's width without its pooling: the projected class token is classified. As many
# parameters as Lift. Compare cait_s24_deit_tiny_lift.py.
_base_ = '../cait_s24_deit_tiny_lift.py'

model = dict(architecture=dict(neck=dict(pooling='cls')))
