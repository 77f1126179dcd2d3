# Control: all blocks 219 wide, without a teacher. The released code has it, and no number is
# published. Compare deit_tiny_widelast_300e.py.
_base_ = [
    '../_base_/students/deit_tiny_patch16.py',
    '../_base_/datasets/imagenet_bs256.py',
    '../_base_/schedules/imagenet_bs2048_300e.py',
    '../_base_/default_runtime.py',
]

model = _base_.pop('student')
model.backbone.arch.update(embed_dims=219, feedforward_channels=876)
model.head.in_channels = 219
