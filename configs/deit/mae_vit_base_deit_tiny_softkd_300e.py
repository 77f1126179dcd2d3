# MAE ViT-Base -> DeiT-Tiny, SoftKD: 72.35 % in the paper's logs (arXiv 2511.06848), for the
# best epoch on val of 300; here the last epoch is the result. MAE has no classifier: as
# released, the teacher's is drawn at random, and its logits carry 90 % of the loss. The logs do
# not say which MAE it was.
_base_ = [
    '../_base_/students/deit_tiny_patch16.py',
    '../_base_/distillation/soft_kd.py',
    '../_base_/datasets/imagenet_bs256.py',
    '../_base_/schedules/imagenet_bs2048_300e_plain.py',
    '../_base_/default_runtime.py',
]

model = dict(
    architecture=_base_.pop('student'),
    teacher=dict(type='timm:vit_base_patch16_224.mae', num_classes=1000),
)
