# A teacher for your folder: DeiT-Small from timm, fine-tuned on its classes.
_base_ = [
    '../_base_/datasets/image_folder.py',
    '../_base_/schedules/image_folder_bs128_100e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    type='TimmClassifier',
    model_name='deit_small_patch16_224',
    pretrained=True,
    num_classes=1000,  # a num_classes at the top of a file that inherits this one sets it
    drop_path_rate=0.1,
    loss=dict(type='mmvitkd.LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
)

# A pretrained model needs a lower learning rate and fewer epochs.
optim_wrapper = dict(optimizer=dict(lr=5e-5))
train_cfg = dict(max_epochs=30)
