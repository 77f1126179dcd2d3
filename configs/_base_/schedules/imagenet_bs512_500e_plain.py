# SpectralKD's (arXiv 2412.19055): 2 GPUs x 256 images, 500 epochs; for plain ViTs and Swins,
# whose position embeddings and class token are not decayed.
_base_ = './imagenet_bs2048_300e.py'

optim_wrapper = dict(
    optimizer=dict(lr=5e-4),
    paramwise_cfg=dict(
        custom_keys={
            '.pos_embed': dict(decay_mult=0.0),
            '.cls_token': dict(decay_mult=0.0),
            '.relative_position_bias_table': dict(decay_mult=0.0),
        }
    ),
)

param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-6 / 5e-4,
        by_epoch=True,
        end=5,
        convert_to_iter_based=True,
    ),
    dict(type='CosineAnnealingLR', eta_min=1e-5, by_epoch=True, begin=5),
]

train_cfg = dict(max_epochs=500)

auto_scale_lr = dict(base_batch_size=512)
