# Control: Lift without its LayerNorm. Compare cait_s24_deit_tiny_lift.py.
_base_ = '../cait_s24_deit_tiny_lift.py'

model = dict(
    architecture=dict(neck=dict(norm=False)),
    pairs=[('neck.proj', 23)],
)
