# DeiT-Small -> WideLast DeiT-Tiny, SpectralKD on the last blocks without SoftKD: 75.73 % in the
# paper, for the best epoch on val of 300; here the last epoch is the result.
_base_ = [
    '../_base_/students/deit_tiny_widelast.py',
    '../_base_/datasets/imagenet_bs256.py',
    '../_base_/schedules/imagenet_bs2048_300e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    type='mmvitkd.FeatureDistill',
    architecture=_base_.pop('student'),
    teacher=dict(type='timm:deit_small_patch16_224'),
    pairs=[(11, 11)],
    pair_loss=dict(type='mmvitkd.SpectralLoss', loss_weight=0.2),
)
