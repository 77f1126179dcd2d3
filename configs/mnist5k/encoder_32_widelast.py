# Without labels: embedding and patch tokens of WideLast's last block.
_base_ = './vit_32_feature_kd.py'
with_label = False

model = dict(
    architecture=dict(
        backbone=dict(
            _delete_=True,
            type='mmvitkd.WideLast',
            base=dict(
                type='VisionTransformer',
                arch=dict(embed_dims=32, num_layers=6, num_heads=2, feedforward_channels=128),
                img_size=28,
                patch_size=7,
            ),
            width=64,
        ),
        head=dict(in_channels=64),
    ),
    pairs=[('embedding', 'embedding'), ('tokens', 'tokens')],
    pair_loss=dict(loss_weight=2.0),
)
