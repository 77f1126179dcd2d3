# The headline WideLast by another schedule of the released code: the last block 384 wide with
# the 3 heads of the others. No number is published.
_base_ = '../cait_s24_deit_tiny_widelast.py'

model = dict(architecture=dict(backbone=dict(schedule='fixed_step')))
