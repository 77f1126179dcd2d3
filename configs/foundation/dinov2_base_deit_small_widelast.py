# DINOv2-B/14 -> DeiT-Small with WideLast, without labels.
_base_ = [
    '../_base_/students/deit_small_widelast.py',
    '../_base_/distillation/embedding_and_tokens.py',
    '../_base_/datasets/image_folder.py',
    '../_base_/schedules/image_folder_bs128_100e.py',
    '../_base_/default_runtime.py',
]
with_label = False  # True, with your num_classes, adds a head and its loss

model = dict(
    architecture=_base_.pop('student'),
    teacher=dict(type='timm:vit_base_patch14_dinov2.lvd142m', img_size=224),
)
