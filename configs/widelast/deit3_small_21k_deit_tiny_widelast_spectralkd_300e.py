# DeiT3-Small, pretrained on ImageNet-21k -> WideLast DeiT-Tiny, SpectralKD on the last blocks
# without SoftKD: 76.50 % in the paper, for the best epoch on val of 300; here the last epoch is
# the result.
_base_ = './deit_small_deit_tiny_widelast_spectralkd_300e.py'

model = dict(teacher=dict(type='timm:deit3_small_patch16_224.fb_in22k_ft_in1k'))
