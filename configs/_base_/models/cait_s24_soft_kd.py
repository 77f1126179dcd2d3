# Teacher CaiT-S24, distilled by its logits: SoftKD with T = 1 and weight 0.9.
model = dict(
    type='mmvitkd.FeatureDistill',
    teacher=dict(type='TimmClassifier', model_name='cait_s24_224', pretrained=True),
    distiller=dict(
        _scope_='mmrazor',
        type='ConfigurableDistiller',
        student_recorders=dict(logits=dict(type='ModuleOutputs', source='head')),
        # '' is the teacher as a whole: whatever it is, its output is its logits.
        teacher_recorders=dict(logits=dict(type='ModuleOutputs', source='')),
        distill_losses=dict(loss_kd=dict(type='KLDivergence', tau=1.0, loss_weight=0.9)),
        loss_forward_mappings=dict(
            loss_kd=dict(
                preds_S=dict(recorder='logits', from_student=True),
                preds_T=dict(recorder='logits', from_student=False),
            )
        ),
    ),
)
