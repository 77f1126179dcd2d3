# SigLIP-B/16 -> DeiT-Tiny with a projector that is discarded, without labels.
_base_ = './dinov2_small_deit_tiny_projector.py'

model = dict(
    teacher=dict(_delete_=True, type='timm:vit_base_patch16_siglip_224.webli'),
    pair_projector=dict(out_channels=768),
)
