# For a folder of some thousand images: AdamW, 100 epochs of 128 images per step, 5 of warm-up.
optim_wrapper = dict(
    type='mmvitkd.BF16OptimWrapper',
    constructor='mmvitkd.MergedOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=5e-4, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0, flat_decay_mult=0.0),
)

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=True, end=5, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        eta_min=1e-6,
        by_epoch=True,
        begin=5,
        convert_to_iter_based=True,
    ),
]

train_cfg = dict(by_epoch=True, max_epochs=100, val_interval=1)
val_cfg = dict()
test_cfg = dict()

# The learning rate scales with the number of GPUs and the batch size.
auto_scale_lr = dict(base_batch_size=128, enable=True)
