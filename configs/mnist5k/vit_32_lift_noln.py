# Control: Lift without its LayerNorm.
_base_ = './vit_32_lift.py'

model = dict(
    architecture=dict(neck=dict(norm=False)),
    pairs=[('neck.proj', 5)],
)
