# Plain feature distillation: the teacher's channels are pooled to the student's width.
_base_ = [
    '../_base_/models/elpv_feature_kd.py',
    '../_base_/datasets/elpv.py',
    '../_base_/schedules/elpv_50e.py',
    '../_base_/default_runtime.py',
]
