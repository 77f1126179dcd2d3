# MDBN for scale 4, as published: 2,000,000 iterations of 16 patches.
_base_ = './_base_/mdbn.py'

model = dict(network=dict(scale=4))
train_dataloader = dict(dataset=dict(scale=4, lr_folder='data/DF2K_sub/LRx4'))
val_dataloader = dict(dataset=dict(scale=4, lr_folder='data/Set5/LRbicx4'))
test_dataloader = val_dataloader
