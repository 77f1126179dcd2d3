"""Take a model in the forms that a notebook has it: a folder, a name, a loaded one."""

import os
from typing import TypeAlias

from torch import nn

from ..analysis.features.loaded_model import LoadedModel, Preprocess
from ..export.eval_transform import PipelineTransform
from .load_model import load_model

Model: TypeAlias = str | os.PathLike[str] | LoadedModel | nn.Module


def loaded(model: Model) -> tuple[nn.Module, Preprocess]:
    """Return a model and how images are prepared for it.

    Args:
        model: The folder of an exported student or ``'timm:NAME'``; a model of
            :func:`load_student` or of ``mmpretrain.get_model``; or what :func:`load_model`
            made of a config and a checkpoint.

    Raises:
        TypeError: If it is not a model.
        ValueError: If it is not known how to prepare images for it.
    """
    if isinstance(model, str | os.PathLike):
        model = load_model(str(model))
    if isinstance(model, LoadedModel):
        return model.model, model.preprocess
    if not isinstance(model, nn.Module):
        raise TypeError(
            f'model: wanted a model, its folder or what load_model returns, found '
            f'{type(model).__name__}.'
        )
    config = getattr(model, '_config', None)
    if config is None:
        raise ValueError(
            f'model: this {type(model).__name__} has no config that says how to prepare '
            'images; wanted what load_student or load_model returns.'
        )
    return model, PipelineTransform(config, model)
