# Plain feature distillation from DINOv2-S/14: its channels are pooled to the student's width.
_base_ = './vit_192.py'
teacher_cache = dict(dir='work_dirs/caches/elpv', views=10, features='fp16', full_features=True)

model = dict(
    _delete_=True,
    type='mmvitkd.FeatureDistill',
    architecture={{_base_.model}},
    teacher=dict(type='timm:vit_small_patch14_dinov2', img_size=112, num_classes=0),
    teacher_ckpt='checkpoints/dinov2_small.safetensors',
    pairs=[(5, 11)],
    pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=1.0),
    pair_target='standardised',
)
