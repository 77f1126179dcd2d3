# The headline WideLast by another schedule of the released code: the last blocks 240, 312 and
# 384 wide with 3 heads. No number is published.
_base_ = '../cait_s24_deit_tiny_widelast.py'

model = dict(architecture=dict(backbone=dict(schedule='fixed_linear', num_wide_blocks=3)))
