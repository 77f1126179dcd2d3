"""The teacher of a distillation: images in, named tensors out."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from mmrazor.models.task_modules import RecorderManager
from torch import Tensor, nn

from ..checks import check_sources
from ..input_size import input_size_of
from .checkpoint import load_file, load_teacher
from .config import teacher_config
from .normalization import Renormalize


class Teacher:
    """A frozen model, outside the student's module tree, whose tensors are recorded.

    This is no ``nn.Module``, so that a model that holds one as an attribute has no teacher
    weight in its ``state_dict``, DDP sync, EMA, optimizer or checkpoint. It stays in eval
    mode and never computes a loss; ``copy.deepcopy`` shares it.

    ``FeatureDistill`` uses :meth:`__call__` and :meth:`apply` and nothing else, so anything
    with these two (a faster teacher, a cached one) can take its place.

    Args:
        model: The model, loaded, as :func:`build_teacher` returns it.
        recorders: MMRazor's recorders, by name. Each hands over the first output of its
            source in a forward pass.
        data_preprocessor: What normalised the images: the student's preprocessor. Where
            the teacher's mean, std or channel order differ, images are re-normalised.

    Attributes:
        input_size: (H, W) that images are resized to, or None where any will do.

    Raises:
        ValueError: If a recorder's source is not part of the model.
    """

    def __init__(
        self,
        model: nn.Module,
        recorders: RecorderManager,
        data_preprocessor: nn.Module | None = None,
    ) -> None:
        model.eval()
        model.requires_grad_(False)
        for module in model.modules():
            if hasattr(module, 'inplace'):
                module.inplace = False  # it would overwrite what is recorded before it
        self.model = model
        self.renormalize = Renormalize.between(data_preprocessor, model)
        self.input_size = input_size_of(model)
        check_sources(recorders, model, 'teacher_recorders', 'teacher')
        recorders.initialize(model)
        self.recorders = recorders

    @torch.no_grad()
    def __call__(self, images: Tensor) -> dict[str, Any]:
        """Run the teacher on a batch.

        Args:
            images: (B, 3, H, W), normalised as the student's.

        Returns:
            What each recorder saw: a tensor, or a tuple of them where the recorded module
            returns one.
        """
        try:
            with self.recorders:
                self.logits(images)
            return {
                name: recorder.get_record_data()
                for name, recorder in self.recorders.recorders.items()
            }
        finally:
            for recorder in self.recorders.recorders.values():
                recorder.reset_data_buffer()

    @torch.no_grad()
    def logits(self, images: Tensor) -> Any:
        """What the model as a whole returns: (B, K) from a classifier.

        Args:
            images: (B, 3, H, W), normalised as the student's; resized here where the
                teacher was made for another size.
        """
        images = self.renormalize(images)
        if self.input_size is not None and self.input_size != tuple(images.shape[2:]):
            images = F.interpolate(images, self.input_size, mode='bicubic', antialias=True)
        return self.model(images, mode='tensor')

    def apply(self, function: Callable[[Tensor], Tensor]) -> None:
        """Apply to every parameter and buffer what ``nn.Module.to`` applies to a model's."""
        self.model._apply(function)
        self.renormalize._apply(function)

    def __deepcopy__(self, memo: dict) -> 'Teacher':
        return self


def build_teacher(
    teacher: str | dict | nn.Module,
    checkpoint: str | None = None,
    allow_random: bool = False,
) -> nn.Module:
    """Build the model of a teacher and load its weights, strictly.

    Args:
        teacher: See :func:`~mmvitkd.models.teachers.config.teacher_config`; or a built
            model, which is taken as it is: whether it is loaded is the caller's business.
        checkpoint: A local file with the weights of the whole model.
        allow_random: Whether a teacher that nothing was loaded into is accepted.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If the teacher cannot be built, if the checkpoint does not fit, or if
            nothing was loaded.
    """
    if isinstance(teacher, nn.Module):
        if checkpoint:
            load_file(teacher, checkpoint)
        return teacher
    config = teacher_config(teacher, allow_random)
    if checkpoint and config.get('pretrained'):
        config['pretrained'] = False  # timm would download it first
    model = _build(config)
    load_teacher(model, config, checkpoint, allow_random)
    return model


def _build(config: dict) -> nn.Module:
    """Build a teacher; where timm cannot download its weights, say what else to give."""
    try:
        return MODELS.build(config)
    except Exception as error:
        if not config.get('pretrained'):
            raise
        raise ValueError(
            f'teacher: {config.get("model_name", config["type"])} with pretrained='
            f'{config["pretrained"]!r} cannot be built. Without a connection give '
            'teacher_ckpt="FILE", or teacher.pretrained=False and allow_random_teacher=True '
            f'for a trial. ({type(error).__name__}: {str(error).splitlines()[0]})'
        ) from error
