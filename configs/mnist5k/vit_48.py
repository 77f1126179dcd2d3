# The demo's plain student, from labels only: the teacher's shape at half its width.
_base_ = './vit_96.py'

model = dict(
    backbone=dict(
        arch=dict(
            embed_dims=48,
            num_layers=6,
            num_heads=3,
            feedforward_channels=192)),
    head=dict(in_channels=48),
)
