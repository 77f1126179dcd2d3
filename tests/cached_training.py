"""A small distillation with a teacher cache: its images, its config and its runs."""

from copy import deepcopy
from itertools import count
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.cache.header import read_header
from mmvitkd.cache.row_store import RowStore
from mmvitkd.config.load_config import complete_config
from mmvitkd.engine.runner import Runner

import numpy as np
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import MODELS
from toy import WIDE_ARCH, vit
from toy_students import write_images

RUNS = count()
EPOCHS, BATCH = 3, 4
# Random views of 32 x 32 pixels.
PIPELINE = [
    dict(type='mmvitkd.LoadRandomResizedCrop', scale=32),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
LOGITS = dict(
    student_recorders=dict(logits=dict(type='ModuleOutputs', source='head')),
    teacher_recorders=dict(logits=dict(type='ModuleOutputs', source='')),
    distill_losses=dict(loss_kd=dict(type='mmrazor.KLDivergence', loss_weight=1.0)),
    loss_forward_mappings=dict(
        loss_kd=dict(
            preds_S=dict(recorder='logits', from_student=True),
            preds_T=dict(recorder='logits', from_student=False),
        )
    ),
)
EXACT = dict(features='fp32', top_k='all')


def save_teacher(path: Path, seed=1) -> Path:
    """Write the weights of a teacher."""
    torch.manual_seed(seed)
    teacher = MODELS.build(dict(vit(WIDE_ARCH), type='mmpretrain.ImageClassifier'))
    torch.save(dict(state_dict=teacher.state_dict()), path)
    return path


def make_data(root: Path, per_class=2) -> Path:
    """Write 5 x `per_class` images into `train` and `val`, and the teacher's weights."""
    root.mkdir(exist_ok=True)
    save_teacher(root / 'teacher.pth')
    return write_images(root, per_class)


def config(root: Path, cache=None, epochs=EPOCHS, sampler=None, **model) -> Config:
    """The config of a run before its completion; `cache` is its `teacher_cache`."""
    loader = dict(
        batch_size=BATCH,
        num_workers=0,
        collate_fn=dict(type='default_collate'),
        dataset=dict(
            type='mmvitkd.ImageFolder',
            data_root=str(root),
            split='train',
            pipeline=deepcopy(PIPELINE),
        ),
        sampler=sampler or dict(type='DefaultSampler', shuffle=True),
    )
    distilled = dict(
        type='mmvitkd.FeatureDistill',
        architecture=vit(drop_rate=0.1),
        teacher=vit(WIDE_ARCH),
        teacher_ckpt=str(root / 'teacher.pth'),
        distiller=deepcopy(LOGITS),
        pairs=[(2, 3)],
        pair_loss=dict(type='mmvitkd.FeatureMSELoss', loss_weight=1.0),
    )
    hooks = dict(
        runtime_info=dict(type='mmvitkd.RuntimeInfoHook'),
        logger=dict(type='LoggerHook', interval=1),
        checkpoint=dict(type='mmvitkd.CheckpointHook', interval=1),
        random_state=dict(type='mmvitkd.RandomStateHook'),
        teacher_cache=dict(type='mmvitkd.TeacherCacheHook'),
    )
    return Config(
        dict(
            default_scope='mmpretrain',
            teacher_cache=cache,
            model={**distilled, **model},
            train_dataloader=loader,
            train_cfg=dict(by_epoch=True, max_epochs=epochs),
            optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-3)),
            default_hooks=hooks,
            randomness=dict(seed=0),
            log_level='WARNING',
        )
    )


class Losses(Hook):
    """Keep the losses of every iteration."""

    def __init__(self):
        self.found = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.found.append({k: v.detach().clone() for k, v in outputs.items() if 'loss' in k})


def build(cfg: Config, work_dir: Path) -> Runner:
    """Build the run of a config."""
    cfg = deepcopy(cfg)
    cfg.merge_from_dict(
        dict(work_dir=str(work_dir), experiment_name=f'cached_{next(RUNS)}', launcher='none')
    )
    complete_config(cfg)
    return Runner.from_cfg(cfg)


def train(cfg: Config, work_dir: Path) -> tuple[Runner, list[dict]]:
    """Train; return the run, and the losses of its iterations."""
    runner, losses = build(cfg, work_dir), Losses()
    runner.register_hook(losses)
    runner.train()
    return runner, losses.found


def same(one, other):
    """Whether two runs had the same losses, to the bit."""
    assert len(one) == len(other) > 0
    return all(
        a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
        for a, b in zip(one, other, strict=True)
    )


def stored(folder: Path) -> dict[int, bytes]:
    """The rows that a cache has, by number."""
    header = read_header(folder)
    with RowStore.open(folder, header.num_rows, header.row_bytes, writable=False) as store:
        rows = np.flatnonzero(store.has(np.arange(header.num_rows)))
        return dict(zip(rows.tolist(), map(bytes, store.read(rows).numpy()), strict=True))
