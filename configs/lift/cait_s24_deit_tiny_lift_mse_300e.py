# CaiT-S24 -> Lift DeiT-Tiny, MSE on the last blocks without SoftKD: 76.61 % in the paper, for
# the best epoch on val of 300; here the last epoch is the result.
_base_ = [
    '../_base_/students/deit_tiny_lift.py',
    '../_base_/datasets/imagenet_bs256.py',
    '../_base_/schedules/imagenet_bs2048_300e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    type='mmvitkd.FeatureDistill',
    architecture=_base_.pop('student'),
    teacher=dict(type='timm:cait_s24_224'),
    pairs=[('neck.norm', 23)],
    pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=0.2),
)
