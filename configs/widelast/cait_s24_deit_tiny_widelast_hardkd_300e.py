# CaiT-S24 -> WideLast DeiT-Tiny, HardKD. No number is published.
_base_ = [
    '../_base_/students/deit_tiny_widelast.py',
    '../_base_/distillation/hard_kd.py',
    '../_base_/datasets/imagenet_bs256.py',
    '../_base_/schedules/imagenet_bs2048_300e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    architecture=_base_.pop('student'),
    teacher=dict(type='timm:cait_s24_224'),
)
