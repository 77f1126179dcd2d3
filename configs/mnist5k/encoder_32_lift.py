# Without labels: Lift's tokens, whose mean is the embedding.
_base_ = './vit_32_lift.py'
with_label = False

model = dict(pairs=[('tokens', 'tokens')], pair_loss=dict(loss_weight=1.0))
