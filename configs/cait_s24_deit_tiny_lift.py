# CaiT-S24 -> Lift DeiT-Tiny, SoftKD + SpectralKD on the last blocks: 77.53 % in the paper,
# for the best epoch on val of 300; here the last epoch is the result.
_base_ = [
    '_base_/models/deit_tiny_lift.py',
    '_base_/datasets/imagenet_bs256.py',
    '_base_/schedules/imagenet_bs2048_300e.py',
    '_base_/default_runtime.py',
]

model = dict(
    architecture=dict(head=dict(loss=dict(loss_weight=0.1))),
    teacher=dict(type='TimmClassifier', model_name='cait_s24_224', pretrained=True),
    distiller=dict(
        _scope_='mmrazor',
        type='ConfigurableDistiller',
        student_recorders=dict(logits=dict(type='ModuleOutputs', source='head')),
        teacher_recorders=dict(logits=dict(type='ModuleOutputs', source='model.head')),
        distill_losses=dict(loss_kd=dict(type='KLDivergence', tau=1.0, loss_weight=0.9)),
        loss_forward_mappings=dict(
            loss_kd=dict(
                preds_S=dict(recorder='logits', from_student=True),
                preds_T=dict(recorder='logits', from_student=False),
            )
        ),
    ),
    pairs=[('neck.norm', 23)],  # the lifted tokens and the teacher's last block
    pair_loss=dict(type='mmvitkd.SpectralLoss', loss_weight=0.2),
)
