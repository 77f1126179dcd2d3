# Without labels, embedding and patch tokens through LayerNorm and Linear, which are discarded.
_base_ = './vit_192_projector.py'
with_label = False
teacher_cache = dict(dir='work_dirs/caches/elpv_encoder')

model = dict(
    pairs=[('embedding', 'embedding'), ('tokens', 'tokens')],
    pair_loss=dict(loss_weight=2.0),
    pair_projector=dict(norm='LN', norm_first=True),
)
