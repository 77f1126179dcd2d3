# Swin-Tiny without a teacher, by SpectralKD's schedule, drop path left out; no number is
# published for it.
_base_ = [
    '../_base_/students/swin_tiny.py',
    '../_base_/datasets/imagenet_bs256.py',
    '../_base_/schedules/imagenet_bs512_500e_plain.py',
    '../_base_/default_runtime.py',
]

model = _base_.pop('student')

# 20 epochs of warm-up.
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-6 / 5e-4,
        by_epoch=True,
        end=20,
        convert_to_iter_based=True,
    ),
    dict(type='CosineAnnealingLR', eta_min=1e-5, by_epoch=True, begin=20),
]
