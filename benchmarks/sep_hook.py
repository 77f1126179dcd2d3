"""Measure the cost of SEPHook, as a share of an ImageNet epoch: `sep_hook.py`.

CaiT-S24 teaches WideLast DeiT-Tiny at 224 px, with random weights. The hook reads JPEG files
through the validation pipeline; a training step is timed without its data loader, whose
workers run in parallel.
"""

import argparse
import tempfile
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

from mmvitkd.analysis import distillation_cost_of
from mmvitkd.engine.hooks import SEPHook

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS, DefaultScope
from mmengine.visualization import Visualizer
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from PIL import Image
from timing import ROOT, seconds_of, write_run
from torch import nn
from torch.utils.data import DataLoader

CONFIG = ROOT / 'configs/cait_s24_deit_tiny_widelast.py'
SIDE = 224
EPOCH = 1_281_167  # images
JPEG = (375, 500, 3)  # ImageNet's average size


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--num-images', type=int, default=256, help='images of the hook (256)')
    parser.add_argument(
        '--batch-size', type=int, default=8, help='images per training step (8)'
    )
    parser.add_argument('--steps', type=int, default=5, help='training steps (5)')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the times here')
    return parser.parse_args()


def model_of(cfg: Config, device: str) -> nn.Module:
    """Build the distillation of a config, with random weights."""
    cfg.model.teacher.pretrained = False
    model = MODELS.build(
        {
            **cfg.model,
            'allow_random_teacher': True,
            'data_preprocessor': {'type': 'ClsDataPreprocessor', **cfg.data_preprocessor},
        }
    )
    model.init_weights()
    return model.to(device)


def seconds_of_a_step(model: Any, cfg: Config, batch_size: int, steps: int) -> float:
    """Return the median seconds of a training step, without the first one."""
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    samples = [
        dict(
            inputs=torch.randint(0, 256, (3, SIDE, SIDE), dtype=torch.uint8),
            data_samples=DataSample().set_gt_label(label),
        )
        for label in range(batch_size)
    ]
    batch = default_collate(samples)
    model.train()
    found = [seconds_of(model.train_step, batch, optim_wrapper) for _ in range(steps + 1)]
    return median(found[1:])


def seconds_of_measurements(model: Any, cfg: Config, num_images: int) -> list[float]:
    """Return the seconds of the first measurement, with the teacher, and of a later one."""
    with tempfile.TemporaryDirectory() as folder:
        run = _run_of(model, cfg, num_images, Path(folder))
        hook = SEPHook(interval=1, num_images=num_images)
        hook.before_train(run)
        found = []
        for run.epoch in range(2):
            found.append(seconds_of(hook.after_train_epoch, run))
        return found


def _run_of(model: Any, cfg: Config, num_images: int, folder: Path) -> Any:
    """Return the part of a runner that the hook uses, with JPEG files to validate on."""
    classes = [folder / 'train' / name for name in ('even', 'odd')]
    for path in classes:
        path.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for index in range(num_images):
        pixels = generator.integers(0, 256, JPEG, dtype=np.uint8)
        Image.fromarray(pixels).save(classes[index % 2] / f'{index}.jpg')
    settings = dict(data_root=str(folder), test_mode=True, pipeline=cfg.test_pipeline)
    dataset = DATASETS.build(dict(type='mmvitkd.ImageFolder', **settings))
    backends = [dict(type='LocalVisBackend')]
    return SimpleNamespace(
        model=model,
        train_loop=None,
        val_loop=True,
        val_dataloader=DataLoader(dataset, collate_fn=default_collate),
        visualizer=Visualizer(vis_backends=backends, save_dir=str(folder)),
        logger=MMLogger.get_current_instance(),
        rank=0,
        epoch=0,
        max_epochs=2,
    )


def counted(model: Any, num_images: int) -> str:
    """Return the hook's multiply-accumulates as a share of an epoch's."""
    cost = distillation_cost_of(model, (SIDE, SIDE))
    student, teacher = cost.student.macs / 1e9, cost.teacher.macs / 1e9
    epoch = EPOCH * (3 * student + teacher)
    first, later = num_images * (student + teacher), num_images * student
    return (
        f'GMACs per image: student {student:.2f}, teacher {teacher:.2f}\n'
        f'one epoch: {EPOCH:,} x (3 x {student:.2f} + {teacher:.2f}) = {epoch:,.0f} GMACs\n'
        f'first measurement: {num_images} x ({student:.2f} + {teacher:.2f}) = '
        f'{first:,.0f} GMACs, '
        f'{100 * first / epoch:.4f} % of an epoch\n'
        f'later measurement: {num_images} x {student:.2f} = {later:,.0f} GMACs, '
        f'{100 * later / epoch:.4f} % of an epoch'
    )


def main() -> None:
    """Count, time, print, write."""
    args = parse_args()
    torch.manual_seed(0)
    MMLogger.get_instance('sep_hook', log_level='WARNING')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        cfg = Config.fromfile(CONFIG)
        model = model_of(cfg, args.device)
        print(counted(model, args.num_images), flush=True)
        step = seconds_of_a_step(model, cfg, args.batch_size, args.steps)
        epoch = EPOCH / args.batch_size * step
        print(
            f'measured on {args.device}, {torch.get_num_threads()} threads: a step of '
            f'{args.batch_size} images {step:.3f} s; an epoch {EPOCH:,} / {args.batch_size} x '
            f'{step:.3f} s = {epoch:,.0f} s',
            flush=True,
        )
        measurements = seconds_of_measurements(model, cfg, args.num_images)
    for name, seconds in zip(('first', 'later'), measurements, strict=True):
        print(f'{name} measurement: {seconds:.2f} s, {100 * seconds / epoch:.4f} % of an epoch')
    if args.json is not None:
        seconds = dict(step_seconds=step, epoch_seconds=epoch)
        write_run(args.json, args, **seconds, measurement_seconds=measurements)


if __name__ == '__main__':
    main()
