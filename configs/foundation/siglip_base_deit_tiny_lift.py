# SigLIP-B/16 -> DeiT-Tiny with Lift, without labels.
_base_ = './dinov2_small_deit_tiny_lift.py'

model = dict(
    teacher=dict(_delete_=True, type='timm:vit_base_patch16_siglip_224.webli'),
    architecture=dict(neck=dict(out_channels=768), head=dict(in_channels=768)),
)
