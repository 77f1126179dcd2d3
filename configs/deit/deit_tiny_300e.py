# DeiT-Tiny without a teacher: 74.86 % in the paper, for the best epoch on val of 300; here the
# last epoch is the result.
_base_ = [
    '../_base_/students/deit_tiny_patch16.py',
    '../_base_/datasets/imagenet_bs256.py',
    '../_base_/schedules/imagenet_bs2048_300e_plain.py',
    '../_base_/default_runtime.py',
]

model = _base_.pop('student')
