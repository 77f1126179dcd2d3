# CaiT-S24 -> WideLast DeiT-Tiny, SoftKD + MSE on the last blocks: 78.23 % in the paper, for the
# best epoch on val of 300; here the last epoch is the result.
_base_ = [
    '_base_/students/deit_tiny_widelast.py',
    '_base_/distillation/soft_kd.py',
    '_base_/datasets/imagenet_bs256.py',
    '_base_/schedules/imagenet_bs2048_300e.py',
    '_base_/default_runtime.py',
]

model = dict(
    architecture=_base_.pop('student'),
    teacher=dict(type='timm:cait_s24_224'),
    pairs=[(11, 23)],  # (student block, teacher block), counted from 0
    pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=0.2),
)
