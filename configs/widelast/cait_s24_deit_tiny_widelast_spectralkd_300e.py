# CaiT-S24 -> WideLast DeiT-Tiny, SpectralKD on the last blocks without SoftKD. The released
# code has it, and no number is published.
_base_ = './deit_small_deit_tiny_widelast_spectralkd_300e.py'

model = dict(teacher=dict(type='timm:cait_s24_224'), pairs=[(11, 23)])
