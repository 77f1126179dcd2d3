# Swin-Small -> Swin-Tiny, SoftKD + SpectralKD on all four stages: 82.7 % in the paper (arXiv
# 2412.19055).
_base_ = [
    '../_base_/students/swin_tiny.py',
    '../_base_/distillation/soft_kd.py',
    '../_base_/datasets/imagenet_bs256.py',
    '../_base_/schedules/imagenet_bs512_500e_plain.py',
    '../_base_/default_runtime.py',
]

model = dict(
    architecture=_base_.pop('student'),
    teacher=dict(type='timm:swin_small_patch4_window7_224.ms_in1k'),
    pairs=[(0, 0), (1, 1), (2, 2), (3, 3)],
    pair_loss=dict(type='mmvitkd.SpectralLoss', loss_weight=0.05),
)

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
