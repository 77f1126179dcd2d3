# The demo's plain student, from labels only: the teacher's shape at half its width.
_base_ = './vit_64.py'

model = dict(
    backbone=dict(
        arch=dict(embed_dims=32, num_layers=6, num_heads=2, feedforward_channels=128)
    ),
    head=dict(in_channels=32),
)
