# The headline WideLast by another schedule of the released code: the last blocks 256, 320 and
# 384 wide with 4, 5 and 6 heads. No number is published.
_base_ = '../cait_s24_deit_tiny_widelast.py'

model = dict(architecture=dict(backbone=dict(schedule='heads_linear', num_wide_blocks=3)))
