# MDBN for scale 2, as published: 2,000,000 iterations of 16 patches.
_base_ = './_base_/mdbn.py'

model = dict(network=dict(scale=2))
train_dataloader = dict(dataset=dict(scale=2, lr_folder='data/DF2K_sub/LRx2'))
val_dataloader = dict(dataset=dict(scale=2, lr_folder='data/Set5/LRbicx2'))
test_dataloader = val_dataloader
