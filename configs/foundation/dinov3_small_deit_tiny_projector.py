# DINOv3-S/16 -> DeiT-Tiny with a projector that is discarded, without labels.
_base_ = './dinov2_small_deit_tiny_projector.py'

model = dict(
    teacher=dict(
        _delete_=True, type='timm:vit_small_patch16_dinov3.lvd1689m', global_pool='token'
    ),
)
