# SoftKD: the labels weigh 0.1, the teacher's logits 0.9 with T = 1 (arXiv 2511.15572).
model = dict(
    type='mmvitkd.FeatureDistill',
    architecture=dict(head=dict(loss=dict(loss_weight=0.1))),
    distiller=dict(
        _scope_='mmrazor',
        type='ConfigurableDistiller',
        student_recorders=dict(logits=dict(type='ModuleOutputs', source='head')),
        # '' is the whole teacher, whose output is its logits.
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
