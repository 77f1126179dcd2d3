# MAE ViT-Base, 768 wide and without a classifier -> DeiT-Tiny whose last block is as wide,
# SpectralKD on the last blocks. No number is published.
_base_ = './deit_small_deit_tiny_widelast_spectralkd_300e.py'

model = dict(
    architecture=dict(backbone=dict(width=768), head=dict(in_channels=768)),
    teacher=dict(type='timm:vit_base_patch16_224.mae'),
)
