# The recipe of arXiv 2511.15572: AdamW, 300 epochs, 2048 images per step. The warm-up rises
# every iteration; the released code raises it per epoch and trains two at the first rate.
optim_wrapper = dict(
    type='mmvitkd.BF16OptimWrapper',
    constructor='mmvitkd.MergedOptimWrapperConstructor',
    optimizer=dict(
        type='AdamW', lr=5e-4 * 2048 / 512, weight_decay=0.05, eps=1e-8, betas=(0.9, 0.999)
    ),
    # pos_embed and cls_token are decayed, as in the released Lift and WideLast.
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0, flat_decay_mult=0.0),
)

param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-6 / 2e-3,
        by_epoch=True,
        end=5,
        convert_to_iter_based=True,
    ),
    dict(type='CosineAnnealingLR', eta_min=1e-5, by_epoch=True, begin=5),
]

train_cfg = dict(by_epoch=True, max_epochs=300, val_interval=1)
val_cfg = dict()
test_cfg = dict()

# The learning rate scales with the number of GPUs and the batch size.
auto_scale_lr = dict(base_batch_size=2048, enable=True)

custom_hooks = [dict(type='mmvitkd.StudentEMAHook', momentum=1 - 0.99996)]
