"""Build the pair that all candidates train: two networks, weights, a batch, the losses."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmvitkd.config.shortcuts import apply_shortcuts
from mmvitkd.models.algorithms.pair_config import expand_pairs
from mmvitkd.models.teachers import build_teacher
from mmvitkd.models.teachers.config import teacher_config
from mmvitkd.models.utils.adapters import adapter_for, input_size_of

import torch
from mmengine.config import Config, ConfigDict
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from recipe import Recipe, recipe_of
from torch import Tensor, nn

SIDE = 224  # pixels, for a student that takes any size


@dataclass
class TrainingPair:
    """The parts that a candidate is built from; see :func:`training_pair`.

    Attributes:
        cfg: The config, with the image size set and a random teacher.
        distiller: The full config of MMRazor's distiller.
        recipe: The numbers in it.
        weights: The student's initial weights, the same for every candidate.
        first_teacher: The teacher; every candidate gets a copy, without the hooks of others.
        images: (B, 3, H, W), uint8, BGR, as a loader returns them.
        labels: (B,).
        device: The device of the training.
        dtype: 'fp32', or 'bf16' for autocast.
        work_dir: A folder that runners may write to.
        clock: What times a part of a step.
        drop_page_cache: Whether the kernel forgets what it holds of a file before it is read.
    """

    cfg: Config
    distiller: dict[str, Any]
    recipe: Recipe
    weights: dict[str, Tensor]
    first_teacher: nn.Module
    images: Tensor
    labels: Tensor
    device: torch.device
    dtype: str
    work_dir: Path
    clock: Callable[[], float] = time.perf_counter
    drop_page_cache: bool = False

    def __post_init__(self) -> None:
        if self.device.type == 'cuda':
            self.images, self.labels = self.images.pin_memory(), self.labels.pin_memory()
        self._rgb = self.images.flip(1)
        if self.images.is_pinned():
            self._rgb = self._rgb.pin_memory()

    def student(self) -> nn.Module:
        """Return a new student in training mode, on the CPU."""
        student = MODELS.build(deepcopy(self.cfg.model.architecture))
        student.load_state_dict(self.weights)
        student.train()
        return student

    def teacher(self) -> nn.Module:
        """Return a new frozen teacher in eval mode, on the CPU."""
        return deepcopy(self.first_teacher)

    def autocast(self) -> AbstractContextManager:
        """Return the context of every forward pass."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.dtype == 'bf16')

    def plain_batch(self) -> tuple[Tensor, Tensor]:
        """Return RGB images and labels, as a hand-written loader would."""
        return self._rgb, self.labels

    def packed_batch(self) -> dict[str, Any]:
        """Return the batch as MMPretrain's loader does: BGR, and a ``DataSample`` per image."""
        samples = [DataSample().set_gt_label(label) for label in self.labels.tolist()]
        return dict(inputs=self.images, data_samples=samples)

    def normalization(self) -> tuple[Tensor, Tensor]:
        """Return mean and std (1, 3, 1, 1) of RGB pixels between 0 and 255."""
        numbers = (self.cfg.data_preprocessor[key] for key in ('mean', 'std'))
        mean, std = (torch.tensor(x, device=self.device).view(1, 3, 1, 1) for x in numbers)
        return mean, std


def training_pair(
    cfg: Config,
    work_dir: Path,
    batch_size: int,
    image_size: int | None = None,
    device: str = 'cpu',
    dtype: str = 'fp32',
    first_block: bool = False,
) -> TrainingPair:
    """Build the pair of a config, with random weights and a random batch.

    Args:
        cfg: The config of a distillation by logits, by ``FeatureMSELoss``, or by both.
        work_dir: A folder that runners may write to.
        batch_size: Images per batch.
        image_size: Side of the square images, in pixels; None for the student's input size.
        device: 'cpu' or 'cuda'.
        dtype: 'fp32' or 'bf16'.
        first_block: Whether to distil the features of both first blocks and nothing else.

    Raises:
        ValueError: If the bare loop lacks one of the losses.
    """
    cfg = deepcopy(cfg)
    apply_shortcuts(cfg)
    model = cfg.get('model') or {}
    if not model.get('teacher'):
        raise ValueError('--pair: the config has no model with a teacher.')
    if first_block:
        model.pop('distiller', None)
        model.pairs = [(0, 0)]
        if model.architecture.head.get('loss') is not None:
            model.architecture.head.loss.loss_weight = 1.0
    if model.get('pair_projector'):
        raise ValueError('--pair: the config has a pair_projector, and the bare loop has none.')
    for key in ('teacher_ckpt', 'student_ckpt'):
        model.pop(key, None)
    model.allow_random_teacher = True
    model.teacher = ConfigDict(_random(teacher_config(model.teacher, allow_random=True)))
    if image_size is not None:
        _set_image_size(model.architecture, image_size)
        _set_image_size(model.teacher, image_size)
    teacher = build_teacher(model.teacher.to_dict(), allow_random=True)
    teacher.eval().requires_grad_(False)
    student = MODELS.build(deepcopy(model.architecture))
    student.init_weights()
    pairs, loss = model.get('pairs') or [], model.get('pair_loss') or {}
    layers = adapter_for(student), adapter_for(teacher)
    distiller = expand_pairs(model.get('distiller'), pairs, loss, *layers)
    height, width = input_size_of(student) or (image_size or SIDE,) * 2
    return TrainingPair(
        cfg=cfg,
        distiller=distiller,
        recipe=recipe_of(cfg, distiller),
        weights=deepcopy(student.state_dict()),
        first_teacher=teacher,
        images=torch.randint(0, 256, (batch_size, 3, height, width), dtype=torch.uint8),
        labels=torch.randint(0, int(model.architecture.head.num_classes), (batch_size,)),
        device=torch.device(device),
        dtype=dtype,
        work_dir=work_dir,
    )


def _random(teacher: dict[str, Any]) -> dict[str, Any]:
    """Return the config of a teacher, changed so that it downloads and loads nothing."""
    names = 'pretrained' in teacher or 'model_name' in teacher
    return {**teacher, 'pretrained': False} if names else dict(teacher)


def _set_image_size(config: ConfigDict, side: int) -> None:
    """Set the image size of a model's config, wherever it states one."""
    if 'model_name' in config:
        config.img_size = side
    for key, value in config.items():
        if key == 'img_size':
            config[key] = side
        elif isinstance(value, dict):
            _set_image_size(value, side)
