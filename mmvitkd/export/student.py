"""Read a trained student, and what its export needs."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..checkpoint.load_strict import load_student
from ..checkpoint.read import read_checkpoint
from ..models.students import ImageEncoder
from ..models.utils.label_rule import LabelRule, label_rule
from .class_names import class_names
from .image_input import ImageInput, image_input_of
from .plain_config import bare_student, plain_config

LOGITS, ENCODED = ('logits',), ('embedding', 'features')


class FormatUnavailableError(ValueError):
    """Raised when a student cannot be written in a format."""


class Student(NamedTuple):
    """A trained student and its properties.

    Attributes:
        model: Built from the training's own config, loaded, in eval mode, on the CPU.
        config: Its config for the export, see :func:`plain_config`.
        image_input: Its input.
        num_classes: How many classes it has; 0 if it has no head.
        classes: Their names, in the order of the logits, if they are known.
    """

    model: nn.Module
    config: dict[str, Any]
    image_input: ImageInput
    num_classes: int
    classes: tuple[str, ...] | None

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what the model returns: logits, or an embedding and features."""
        return LOGITS if self.num_classes else ENCODED

    @property
    def label_rule(self) -> LabelRule | None:
        """Which classes an image has; None if it has one."""
        return label_rule(self.model)

    def images(self, batch_size: int) -> Tensor:
        """Return random normalised images (B, 3, H, W), the same ones each time."""
        generator = torch.Generator().manual_seed(batch_size)
        return torch.randn(batch_size, 3, *self.image_input.size, generator=generator)


def read_student(cfg: Config, path: str, ema: bool = False) -> Student:
    """Build and load the student of a training.

    Args:
        cfg: The config of a distillation, of a plain classifier or of an ``ImageEncoder``.
        path: A checkpoint of it: of the training, published, or of the student alone.
        ema: Whether to take the exponential moving average of the weights.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If config or checkpoint lack something, or do not fit each other.
    """
    checkpoint = read_checkpoint(path)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(bare_student(cfg))
        load_student(model, path, ema)
        model.eval()
        pipeline = plain_config(cfg)['test_pipeline']
        image_input = image_input_of(model, pipeline)
        num_classes = _count_classes(model, image_input)
        classes = class_names(cfg, checkpoint, num_classes) if num_classes else None
        return Student(model, plain_config(cfg, classes), image_input, num_classes, classes)


def build_plain(config: Mapping[str, Any]) -> nn.Module:
    """Build the model of an exported config, in eval mode."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(config['model'])
    model.eval()
    return model


def _count_classes(model: nn.Module, image_input: ImageInput) -> int:
    if isinstance(model, ImageEncoder):
        return 0
    with torch.no_grad():
        logits = model(torch.zeros(1, 3, *image_input.size))
    if not isinstance(logits, Tensor) or logits.ndim != 2:
        raise ValueError(
            f'The student ({type(model).__name__}) returns no logits (B, classes): it has no '
            'classification head, and is no mmvitkd.ImageEncoder.'
        )
    return int(logits.shape[1])
