# CaiT-S24 -> DeiT-Tiny, SoftKD + SpectralKD on eight pairs of blocks: 77.4 % in the paper
# (arXiv 2412.19055).
_base_ = [
    '../_base_/students/deit_tiny_patch16.py',
    '../_base_/distillation/soft_kd.py',
    '../_base_/datasets/imagenet_bs256.py',
    '../_base_/schedules/imagenet_bs512_500e_plain.py',
    '../_base_/default_runtime.py',
]

model = dict(
    architecture=_base_.pop('student'),
    teacher=dict(type='timm:cait_s24_224'),
    # The first two and the last six blocks of each.
    pairs=[(0, 0), (1, 1), (6, 18), (7, 19), (8, 20), (9, 21), (10, 22), (11, 23)],
    pair_loss=dict(type='mmvitkd.SpectralLoss', loss_weight=0.2),
)

train_cfg = dict(max_epochs=400)
