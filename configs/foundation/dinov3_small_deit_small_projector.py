# DINOv3-S/16 -> DeiT-Small with a projector that is discarded, without labels.
_base_ = './dinov2_base_deit_small_projector.py'

model = dict(
    teacher=dict(
        _delete_=True, type='timm:vit_small_patch16_dinov3.lvd1689m', global_pool='token'
    ),
    pair_projector=dict(out_channels=384),
)
