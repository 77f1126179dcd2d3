# Without labels, embedding and patch tokens of WideLast's last block.
_base_ = './vit_192_widelast.py'
with_label = False
teacher_cache = dict(dir='work_dirs/caches/elpv_encoder')

model = dict(
    pairs=[('embedding', 'embedding'), ('tokens', 'tokens')],
    pair_loss=dict(loss_weight=2.0),
)
