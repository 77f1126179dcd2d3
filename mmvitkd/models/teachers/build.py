"""A teacher's model, built and loaded."""

from mmengine.registry import MODELS
from torch import nn

from .checkpoint import load_file, load_teacher
from .config import teacher_config


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
