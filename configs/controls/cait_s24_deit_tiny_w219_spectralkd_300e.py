# Control: all blocks 219 wide, SpectralKD on the last blocks without SoftKD. The released code
# has it, and no number is published. Compare cait_s24_deit_tiny_widelast_spectralkd_300e.py.
_base_ = './deit_tiny_w219_300e.py'

model = dict(
    _delete_=True,
    type='mmvitkd.FeatureDistill',
    architecture=_base_.model,
    teacher=dict(type='timm:cait_s24_224'),
    pairs=[(11, 23)],
    pair_loss=dict(type='mmvitkd.SpectralLoss', loss_weight=0.2),
)
