# DeiT-Small -> Lift DeiT-Tiny on your folder: features of timm's teacher, as it was trained on
# ImageNet.
_base_ = [
    '../_base_/students/deit_tiny_lift.py',
    '../_base_/datasets/image_folder.py',
    '../_base_/schedules/image_folder_bs128_100e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    type='mmvitkd.FeatureDistill',
    architecture=_base_.pop('student'),
    teacher=dict(type='timm:deit_small_patch16_224'),
    pairs=[('neck.norm', 11)],
    pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=0.2),
)
