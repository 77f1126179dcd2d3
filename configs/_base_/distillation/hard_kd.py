# HardKD: the labels weigh 0.1, the teacher's most likely class 0.9.
_base_ = './soft_kd.py'

model = dict(
    distiller=dict(
        distill_losses=dict(
            loss_kd=dict(_delete_=True, type='mmrazor.CrossEntropyLoss', loss_weight=0.9)
        )
    ),
)
