# DeiT-Small -> WideLast DeiT-Tiny on your folder, logits and features: for a teacher that was
# fine-tuned on the same classes, such as by configs/image_folder/deit_small.py.
_base_ = [
    '../_base_/students/deit_tiny_widelast.py',
    '../_base_/distillation/soft_kd.py',
    '../_base_/datasets/image_folder.py',
    '../_base_/schedules/image_folder_bs128_100e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    architecture=_base_.pop('student'),
    teacher=dict(type='timm:deit_small_patch16_224'),  # and your num_classes
    pairs=[(11, 11)],
    pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=0.2),
)
