# Plain feature distillation: the teacher's channels are pooled to the student's width.
_base_ = [
    '../_base_/models/mnist5k_feature_kd.py',
    '../_base_/datasets/mnist5k.py',
    '../_base_/schedules/mnist5k_20e.py',
    '../_base_/default_runtime.py',
]
