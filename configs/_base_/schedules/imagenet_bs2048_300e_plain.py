# For plain ViTs, whose position embedding and class token are not decayed, as in timm.
_base_ = './imagenet_bs2048_300e.py'

optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            '.pos_embed': dict(decay_mult=0.0),
            '.cls_token': dict(decay_mult=0.0),
        }
    )
)
