# MDBN for scale 3, as published: 2,000,000 iterations of 16 patches.
_base_ = './_base_/mdbn.py'

model = dict(network=dict(scale=3))
# 255 is the largest multiple of 3 up to 256.
train_dataloader = dict(
    dataset=dict(scale=3, lr_folder='data/DF2K_sub/LRx3', patch_size=255),
)
val_dataloader = dict(dataset=dict(scale=3, lr_folder='data/Set5/LRbicx3'))
test_dataloader = val_dataloader
