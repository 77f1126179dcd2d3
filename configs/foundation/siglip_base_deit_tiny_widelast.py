# SigLIP-B/16 -> DeiT-Tiny with WideLast, without labels.
_base_ = './dinov2_small_deit_tiny_widelast.py'

model = dict(
    teacher=dict(_delete_=True, type='timm:vit_base_patch16_siglip_224.webli'),
    architecture=dict(backbone=dict(width=768), head=dict(in_channels=768)),
)
