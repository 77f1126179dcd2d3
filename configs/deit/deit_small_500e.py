# DeiT-Small without a teacher, by SpectralKD's schedule; no number is published for it.
_base_ = [
    '../_base_/students/deit_small_patch16.py',
    '../_base_/datasets/imagenet_bs256.py',
    '../_base_/schedules/imagenet_bs512_500e_plain.py',
    '../_base_/default_runtime.py',
]

model = _base_.pop('student')
