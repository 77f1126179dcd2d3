# 2,624 electroluminescence pictures of solar cells at 112 px, functional or defective;
# tools/dataset_converters/elpv.py writes them.
data_preprocessor = dict(
    type='mmvitkd.ClsDataPreprocessor',
    num_classes=2,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)

# Ten crops of an image in turn, the same for every seed: one teacher cache serves all runs.
sample_views = 10
sample_seed = 0

train_pipeline = [
    dict(
        type='mmvitkd.LoadRandomResizedCrop',
        scale=112,
        crop_ratio_range=(0.8, 1.0),
        interpolation='bicubic',
    ),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomFlip', prob=0.5, direction='vertical'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='mmvitkd.LoadImage'),
    dict(type='Resize', scale=(112, 112), backend='pillow', interpolation='bicubic'),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    drop_last=True,
    dataset=dict(
        type='mmvitkd.ImageFolder',
        data_root='data/elpv',
        split='train',
        pipeline=train_pipeline,
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
val_dataloader = dict(
    batch_size=105,
    num_workers=0,
    dataset=dict(
        type='mmvitkd.ImageFolder',
        data_root='data/elpv',
        split='val',
        pipeline=test_pipeline,
    ),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
# The recall, averaged over classes, is the balanced accuracy.
val_evaluator = dict(type='SingleLabelMetric', items=('recall',))
test_dataloader = val_dataloader
test_evaluator = val_evaluator
