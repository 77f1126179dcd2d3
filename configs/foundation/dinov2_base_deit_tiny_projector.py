# DINOv2-B/14 -> DeiT-Tiny with a projector that is discarded, without labels.
_base_ = './dinov2_small_deit_tiny_projector.py'

model = dict(
    teacher=dict(_delete_=True, type='timm:vit_base_patch14_dinov2.lvd142m', img_size=224),
    pair_projector=dict(out_channels=768),
)
