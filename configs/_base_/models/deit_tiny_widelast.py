# Student: DeiT-Tiny whose last block is 384 wide (WideLast, arXiv 2511.15572).
_base_ = './cait_s24_soft_kd.py'

model = dict(
    architecture=dict(
        type='ImageClassifier',
        backbone=dict(
            type='mmvitkd.WideLast',
            base=dict(type='VisionTransformer', arch='deit-tiny', img_size=224, patch_size=16),
            width=384,
        ),
        head=dict(
            type='VisionTransformerClsHead',
            num_classes=1000,
            in_channels=384,
            init_cfg=dict(type='TruncNormal', layer='Linear', std=0.02),
            loss=dict(
                type='LabelSmoothLoss', label_smooth_val=0.1, mode='original', loss_weight=0.1
            ),
        ),
    ),
)
