"""The teacher of a distillation: images in, named tensors out."""

from collections.abc import Callable
from typing import Any

import torch
from mmengine.registry import MODELS
from mmrazor.models.task_modules import RecorderManager
from torch import Tensor, nn

from ..checks import check_sources
from .checkpoint import load_strict, load_teacher
from .normalization import Renormalize


class Teacher:
    """A frozen model, outside the student's module tree, whose tensors are recorded.

    This is no ``nn.Module``, so that a model that holds one as an attribute has no teacher
    weight in its ``state_dict``, DDP sync, EMA, optimizer or checkpoint. It stays in eval
    mode and never computes a loss; ``copy.deepcopy`` shares it.

    ``FeatureDistill`` uses :meth:`__call__` and :meth:`apply` and nothing else, so anything
    with these two (a faster teacher, a cached one) can take its place.

    Args:
        model: The config of the teacher: an MMPretrain classifier or ``TimmClassifier``. A
            built model is taken as it is: whether it is loaded is the caller's business.
        recorders: MMRazor's recorders, by name. Each hands over the first output of its
            source in a forward pass.
        checkpoint: A local file with the weights of the whole model.
        allow_random: Whether a teacher that nothing was loaded into is accepted.
        data_preprocessor: What normalised the images: the student's preprocessor. Where
            the teacher's mean, std or channel order differ, images are re-normalised.

    Raises:
        FileNotFoundError: If ``checkpoint`` does not exist.
        ValueError: If the checkpoint does not fit, if nothing was loaded, or if a
            recorder's source is not part of the model.
    """

    def __init__(
        self,
        model: dict | nn.Module,
        recorders: RecorderManager,
        checkpoint: str | None = None,
        allow_random: bool = False,
        data_preprocessor: nn.Module | None = None,
    ) -> None:
        if isinstance(model, dict):
            if checkpoint and model.get('pretrained'):
                model = {**model, 'pretrained': False}  # timm would download it first
            built = _build(model)
            load_teacher(built, model, checkpoint, allow_random)
        else:
            built = model
            if checkpoint:
                load_strict(built, checkpoint)
        built.eval()
        built.requires_grad_(False)
        for module in built.modules():
            if hasattr(module, 'inplace'):
                module.inplace = False  # it would overwrite what is recorded before it
        self.model = built
        self.renormalize = Renormalize.between(data_preprocessor, built)
        check_sources(recorders, built, 'teacher_recorders', 'teacher')
        recorders.initialize(built)
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
                self.model(self.renormalize(images), mode='tensor')
            return {
                name: recorder.get_record_data()
                for name, recorder in self.recorders.recorders.items()
            }
        finally:
            for recorder in self.recorders.recorders.values():
                recorder.reset_data_buffer()

    def apply(self, function: Callable[[Tensor], Tensor]) -> None:
        """Apply to every parameter and buffer what ``nn.Module.to`` applies to a model's."""
        self.model._apply(function)
        self.renormalize._apply(function)

    def __deepcopy__(self, memo: dict) -> 'Teacher':
        return self


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
