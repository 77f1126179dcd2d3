# CaiT-S24 -> DeiT-Tiny, MSE on the last blocks without SoftKD. No number is published.
_base_ = [
    '../_base_/students/deit_tiny_patch16.py',
    '../_base_/datasets/imagenet_bs256.py',
    '../_base_/schedules/imagenet_bs2048_300e_plain.py',
    '../_base_/default_runtime.py',
]

model = dict(
    type='mmvitkd.FeatureDistill',
    architecture=_base_.pop('student'),
    teacher=dict(type='timm:cait_s24_224'),
    pairs=[(11, 23)],
    pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=0.2),
)
