# SigLIP-B/16 -> DeiT-Small with a projector that is discarded, without labels.
_base_ = './dinov2_base_deit_small_projector.py'

model = dict(
    teacher=dict(_delete_=True, type='timm:vit_base_patch16_siglip_224.webli'),
)
