# The learning rate exactly as in the released code of arXiv 2511.15572, in place of
# imagenet_bs2048_300e.py: set once per epoch, one epoch late, the cosine over all 300.
_base_ = './imagenet_bs2048_300e.py'

param_scheduler = [
    dict(type='mmvitkd.DeiTCosineLR', eta_min=1e-5, warmup_epochs=5, warmup_lr=1e-6)
]
