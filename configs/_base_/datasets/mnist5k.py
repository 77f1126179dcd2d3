# 5,000 MNIST digits as PNG files; tools/dataset_converters/mnist5k.py writes them.
data_preprocessor = dict(
    type='mmvitkd.ClsDataPreprocessor',
    num_classes=10,
    mean=[33.3, 33.3, 33.3],
    std=[78.6, 78.6, 78.6],
    to_rgb=True,
)

train_pipeline = [
    dict(type='mmvitkd.LoadImage'),
    dict(type='Rotate', magnitude_range=(0, 15), prob=0.5),
    dict(type='RandomCrop', crop_size=28, padding=2),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='mmvitkd.LoadImage'),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    drop_last=True,
    dataset=dict(
        type='mmvitkd.ImageFolder',
        data_root='data/mnist5k',
        split='train',
        pipeline=train_pipeline,
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
val_dataloader = dict(
    batch_size=250,
    num_workers=0,
    dataset=dict(
        type='mmvitkd.ImageFolder',
        data_root='data/mnist5k',
        split='val',
        pipeline=test_pipeline,
    ),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_evaluator = dict(type='mmvitkd.Accuracy', topk=(1,))
test_dataloader = val_dataloader
test_evaluator = val_evaluator
