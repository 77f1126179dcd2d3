# Without labels: embedding and patch tokens through LayerNorm and Linear, which are discarded.
_base_ = './vit_32_feature_kd.py'
with_label = False

model = dict(
    pairs=[('embedding', 'embedding'), ('tokens', 'tokens')],
    pair_loss=dict(loss_weight=2.0),
    pair_projector=dict(in_channels=32, out_channels=64, norm='LN', norm_first=True, bias=True),
)
