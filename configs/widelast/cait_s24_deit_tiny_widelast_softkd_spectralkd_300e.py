# CaiT-S24 -> WideLast DeiT-Tiny, SoftKD + SpectralKD on the last blocks: 78.16 % in the paper,
# for the best epoch on val of 300; here the last epoch is the result.
_base_ = '../cait_s24_deit_tiny_widelast.py'

model = dict(pair_loss=dict(_delete_=True, type='mmvitkd.SpectralLoss', loss_weight=0.2))
