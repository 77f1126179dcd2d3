# DINOv2-S/14 -> DeiT-Small with a projector that is discarded, without labels.
_base_ = './dinov2_base_deit_small_projector.py'

model = dict(
    teacher=dict(_delete_=True, type='timm:vit_small_patch14_dinov2.lvd142m', img_size=224),
    pair_projector=dict(out_channels=384),
)
