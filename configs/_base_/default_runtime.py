# Common settings of all runs: MMPretrain's, with checkpoints that resume to the bit.
default_scope = 'mmpretrain'

default_hooks = dict(
    runtime_info=dict(type='mmvitkd.RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='mmvitkd.LoggerHook'),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='mmvitkd.CheckpointHook', interval=1, max_keep_ckpts=3),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='VisualizationHook', enable=False),
    random_state=dict(type='mmvitkd.RandomStateHook'),
    finite_loss=dict(type='mmvitkd.FiniteLossHook'),
    preemption=dict(type='mmvitkd.PreemptionHook'),
    teacher_cache=dict(type='mmvitkd.TeacherCacheHook'),
    target_statistics=dict(type='mmvitkd.TargetStatisticsHook'),
    subspace_floor=dict(type='mmvitkd.SubspaceFloorHook'),
    teacher_accuracy=dict(type='mmvitkd.TeacherAccuracyHook'),
    feature_error=dict(type='mmvitkd.FeatureErrorHook'),
    unreadable_images=dict(type='mmvitkd.UnreadableImagesHook'),
    disk_full=dict(type='mmvitkd.DiskFullHook'),
    watchdog=dict(type='mmvitkd.WatchdogHook', timeout=900),
)

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # Seconds; longer than the watchdog's, which says more.
    dist_cfg=dict(backend='nccl', timeout=1800),
)

vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='UniversalVisualizer', vis_backends=vis_backends)

log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=0, deterministic=False)
