"""Check the names at the top level of a config."""

from collections.abc import Mapping
from inspect import signature
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from ...suggestions import close_names
from ...utils.errors import KeyedValueError, listed
from ..layers import Layers

# What mmvitkd reads.
OURS = (
    *('data_root', 'num_classes', 'img_size', 'with_label', 'fast', 'teacher_cache'),
    *('sample_seed', 'sample_seeds', 'sample_views', 'load_from_new', 'student', 'verbose'),
)
# What MMEngine and MMPretrain read besides the arguments of the runner.
THEIRS = (
    *('runner_type', 'model_wrapper_cfg', 'find_unused_parameters', 'sync_bn', 'compile'),
    *('activation_checkpointing', 'efficient_conv_bn_eval', 'custom_imports', 'tta_model'),
    *('tta_pipeline', 'strategy', 'env_variables', 'cfg'),
)
# Variables that configs and their tools share by habit: a misspelt one is still close to them.
HABITS = (
    *('train_pipeline', 'test_pipeline', 'val_pipeline', 'vis_backends', 'dataset_type'),
    *('bgr_mean', 'bgr_std'),
)
KNOWN = (*(set(signature(Runner).parameters) - {'cfg'}), *OURS, *THEIRS, *HABITS)
# Names that other frameworks and older OpenMMLab have at the top, and what is read here.
FOREIGN = {
    'optimizer': 'optim_wrapper.optimizer',
    'optimizer_config': 'optim_wrapper.clip_grad',
    'optimizer_cfg': 'optim_wrapper',
    'lr_config': 'param_scheduler',
    'lr_scheduler': 'param_scheduler',
    'scheduler': 'param_scheduler',
    'momentum_config': 'param_scheduler',
    'runner': 'train_cfg',
    'train_config': 'train_cfg',
    'val_config': 'val_cfg',
    'test_config': 'test_cfg',
    'data': 'train_dataloader, val_dataloader and test_dataloader',
    'evaluation': 'val_evaluator and train_cfg.val_interval',
    'evaluator': 'val_evaluator',
    'metrics': 'val_evaluator',
    'checkpoint_config': 'default_hooks.checkpoint',
    'checkpoint': 'load_from or default_hooks.checkpoint',
    'log_config': 'default_hooks.logger and visualizer',
    'logger': 'default_hooks.logger',
    'hooks': 'custom_hooks',
    'callbacks': 'custom_hooks',
    'workflow': 'train_cfg',
    'cudnn_benchmark': 'env_cfg.cudnn_benchmark',
    'opencv_num_threads': 'env_cfg.mp_cfg.opencv_num_threads',
    'mp_start_method': 'env_cfg.mp_cfg.mp_start_method',
    'dist_params': 'env_cfg.dist_cfg',
    'gpu_ids': 'the environment variable CUDA_VISIBLE_DEVICES',
    'device': 'the environment variable CUDA_VISIBLE_DEVICES',
    'seed': 'randomness.seed',
    'deterministic': 'randomness.deterministic',
    'resume_from': 'resume=True and load_from',
    'resume_from_checkpoint': 'resume=True and load_from',
    'auto_resume': "resume='auto'",
    'init_checkpoint': 'load_from',
    'pretrained': 'load_from or model.student_ckpt',
    'weights': 'load_from or model.student_ckpt',
    'fp16': "optim_wrapper.type='mmvitkd.BF16OptimWrapper'",
    'amp': "optim_wrapper.type='mmvitkd.BF16OptimWrapper'",
    'bf16': "optim_wrapper.type='mmvitkd.BF16OptimWrapper'",
    'precision': 'optim_wrapper.type or model.teacher_options.precision',
    'grad_clip': 'optim_wrapper.clip_grad',
    'clip_grad': 'optim_wrapper.clip_grad',
    'paramwise_cfg': 'optim_wrapper.paramwise_cfg',
    'accumulative_counts': 'optim_wrapper.accumulative_counts',
    'gradient_accumulation_steps': 'optim_wrapper.accumulative_counts',
    'accumulate_grad_batches': 'optim_wrapper.accumulative_counts',
    'lr': 'optim_wrapper.optimizer.lr',
    'learning_rate': 'optim_wrapper.optimizer.lr',
    'base_lr': 'optim_wrapper.optimizer.lr',
    'weight_decay': 'optim_wrapper.optimizer.weight_decay',
    'betas': 'optim_wrapper.optimizer.betas',
    'momentum': 'optim_wrapper.optimizer.momentum',
    'warmup_epochs': 'param_scheduler.0.end',
    'warmup': 'param_scheduler',
    'max_epochs': 'train_cfg.max_epochs',
    'max_iters': 'train_cfg.max_iters',
    'total_epochs': 'train_cfg.max_epochs',
    'num_epochs': 'train_cfg.max_epochs',
    'num_train_epochs': 'train_cfg.max_epochs',
    'epochs': 'train_cfg.max_epochs',
    'val_interval': 'train_cfg.val_interval',
    'batch_size': 'train_dataloader.batch_size',
    'samples_per_gpu': 'train_dataloader.batch_size',
    'num_workers': 'train_dataloader.num_workers',
    'workers_per_gpu': 'train_dataloader.num_workers',
    'workers': 'train_dataloader.num_workers',
    'pipeline': 'train_dataloader.dataset.pipeline',
    'transforms': 'train_dataloader.dataset.pipeline',
    'dataset': 'train_dataloader.dataset',
    'data_dir': 'data_root',
    'data_path': 'data_root',
    'classes': 'the metainfo of the data sets',
    'nb_classes': 'num_classes',
    'input_size': 'img_size',
    'image_size': 'img_size',
    'save_best': 'default_hooks.checkpoint.save_best',
    'output_dir': 'work_dir',
    'save_dir': 'work_dir',
    'ema': "custom_hooks=[dict(type='mmvitkd.StudentEMAHook')]",
    'teacher': 'model.teacher',
    'teacher_ckpt': 'model.teacher_ckpt',
    'teacher_options': 'model.teacher_options',
    'allow_random_teacher': 'model.allow_random_teacher',
    'student_ckpt': 'model.student_ckpt',
    'pairs': 'model.pairs',
    'pair_loss': 'model.pair_loss',
    'pair_extra_losses': 'model.pair_extra_losses',
    'pair_projector': 'model.pair_projector',
    'pair_target': 'model.pair_target',
    'distiller': 'model.distiller',
    'architecture': 'model.architecture',
    'backbone': 'model.architecture.backbone, or model.backbone',
    'neck': 'model.architecture.neck, or model.neck',
    'mean': 'data_preprocessor.mean',
    'std': 'data_preprocessor.std',
}
TRIVIAL = range(-1, 11)  # numbers that many settings hold
CUTOFF = 0.75  # of difflib's ratio: `num_class` and `num_classes` have 0.9


def check_top_level(cfg: Config, layers: Layers) -> list[str]:
    """Check the names at the top level; return warnings.

    A variable that its files read, such as one of a config's own that several places share, is
    no setting and may have any name; in one that a run has dumped, it is known by its value,
    which another setting holds.

    Args:
        cfg: The config of a run.
        layers: Its files.

    Raises:
        KeyedValueError: If a name is that of another framework, or close to one that is read.
    """
    warnings = []
    for name in cfg:
        if name in KNOWN or name in layers.used:
            continue
        if name in FOREIGN:
            if _agrees(dict(cfg), FOREIGN[name].rpartition('.')[2], cfg[name]):
                continue
            raise KeyedValueError(
                f'{{{name}}}: nothing reads this key at the top of a config; set '
                f'{FOREIGN[name]}.',
                name,
            )
        is_held = layers.may_be_dumped(name) and _is_held(cfg, name)
        close = close_names(name, KNOWN, n=1, cutoff=CUTOFF)
        if close and not is_held:
            raise KeyedValueError(
                f'{{{name}}}: nothing reads this key; did you mean {close[0]}?', name
            )
        if close or not is_held:
            hint = f'; did you mean {close[0]}?' if close else ''
            warnings.append(f'{name}: nothing reads this key at the top of the config{hint}')
    return warnings


def check_ineffective(layers: Layers) -> None:
    """Check that a variable is not changed after settings were made from it.

    Raises:
        KeyedValueError: If it is, as ``train_pipeline`` in a config that inherits the loader:
            the loader has the old one.
    """
    for name, places in layers.changed_too_late(_is_setting):
        keeps = 'keeps' if len(places) == 1 else 'keep'
        raise KeyedValueError(
            f'{{{name}}}: this has no effect: {listed(places)} {keeps} the value that {name} '
            f'had in the inherited config; set {listed(places)} instead.',
            name,
        )


def _is_setting(name: str) -> bool:
    """Return whether a run reads a key at the top by its name."""
    return name in KNOWN and name not in HABITS


def _agrees(node: Any, name: str, value: Any) -> bool:
    """Return whether a setting of this name has this value, below the top level."""
    inner = node.values() if isinstance(node, Mapping) else node
    return any(
        (isinstance(each, Mapping) and name in each and each[name] == value)
        or _agrees(each, name, value)
        for each in inner
        if isinstance(each, Mapping | list | tuple)
    )


def _is_held(cfg: Config, name: str) -> bool:
    """Return whether another setting holds the value of a variable, within it."""
    value = cfg[name]
    if value is None or isinstance(value, bool) or value in TRIVIAL:
        return False
    return any(
        _holds(part, value)
        for other, setting in cfg.items()
        if other != name and isinstance(setting, dict | list | tuple)
        for part in (setting.values() if isinstance(setting, Mapping) else setting)
    )


def _holds(node: Any, value: Any) -> bool:
    if type(node) is type(value) and node == value:
        return True
    if isinstance(node, Mapping):
        return any(_holds(each, value) for each in node.values())
    return isinstance(node, list | tuple) and any(_holds(each, value) for each in node)
