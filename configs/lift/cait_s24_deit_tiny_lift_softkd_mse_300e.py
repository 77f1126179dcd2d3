# CaiT-S24 -> Lift DeiT-Tiny, SoftKD + MSE on the last blocks: 77.50 % in the paper, for the
# best epoch on val of 300; here the last epoch is the result.
_base_ = '../cait_s24_deit_tiny_lift.py'

model = dict(pair_loss=dict(_delete_=True, type='mmvitkd.FeatureMSELoss', loss_weight=0.2))
