# The published recipe, but for the scale: 2,000,000 iterations on sub-images of DF2K.
_base_ = '../../../../configs/_base_/default_runtime.py'

custom_imports = dict(imports=['projects.mdbn.mdbn'])

train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    dataset=dict(type='PairedImages', hr_folder='data/DF2K_sub/HR', patch_size=256),
    sampler=dict(type='InfiniteSampler', shuffle=True),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    dataset=dict(type='PairedImages', hr_folder='data/Set5/GTmod12'),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_evaluator = dict(type='LumaQuality', crop_border=4)
test_dataloader = val_dataloader
test_evaluator = val_evaluator

model = dict(type='SuperResolver', network=dict(type='MDBN'))
optim_wrapper = dict(optimizer=dict(type='Adam', lr=2e-4, betas=(0.9, 0.99)))
param_scheduler = dict(type='CosineAnnealingLR', by_epoch=False, T_max=2_000_000, eta_min=1e-7)
train_cfg = dict(by_epoch=False, max_iters=2_000_000, val_interval=5000)
val_cfg = dict()
test_cfg = dict()

# A decay of 0.999; with gamma=1, the average is the mean of all weights for 1,000 iterations.
custom_hooks = [dict(type='mmvitkd.StudentEMAHook', momentum=1e-3, gamma=1)]
default_hooks = dict(
    logger=dict(interval=100),
    checkpoint=dict(by_epoch=False, interval=5000, save_best='luma/psnr', rule='greater'),
)
log_processor = dict(by_epoch=False)
randomness = dict(seed=2023)
