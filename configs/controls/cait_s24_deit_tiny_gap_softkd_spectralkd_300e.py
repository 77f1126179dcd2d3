# Control: Lift's pooling without its width. The normalised tokens are distilled and their mean
# classified; as many parameters as DeiT-Tiny. Compare cait_s24_deit_tiny_lift.py.
_base_ = '../cait_s24_deit_tiny_lift.py'

model = dict(architecture=dict(neck=dict(out_channels=None), head=dict(in_channels=192)))
