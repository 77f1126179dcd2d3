# Control: a linear projector with a bias is trained for the loss alone and then discarded; what
# is forced in ..._linear_softkd_mse_{subspace,sep,subspace_sep}_300e.py is left free here.
_base_ = [
    '../_base_/students/deit_tiny_patch16.py',
    '../_base_/distillation/soft_kd.py',
    '../_base_/datasets/imagenet_bs256.py',
    '../_base_/schedules/imagenet_bs2048_300e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    architecture=_base_.pop('student'),
    teacher=dict(type='timm:cait_s24_224'),
    pairs=[(11, 23)],
    pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=0.2),
    pair_projector=dict(in_channels=192, out_channels=384, norm=None, bias=True),
)
