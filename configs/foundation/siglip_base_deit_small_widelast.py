# SigLIP-B/16 -> DeiT-Small with WideLast, without labels.
_base_ = './dinov2_base_deit_small_widelast.py'

model = dict(
    teacher=dict(_delete_=True, type='timm:vit_base_patch16_siglip_224.webli'),
)
