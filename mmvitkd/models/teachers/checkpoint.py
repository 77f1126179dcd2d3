"""Load a teacher's weights strictly: every key must match, and nothing is executed."""

from typing import Any

from mmengine.logging import print_log
from torch import nn

from ...checkpoint.download import download
from ...checkpoint.read import student_weights
from ...utils.errors import KeyedValueError
from ..utils.adapters import adapter_for


def load_teacher(
    model: nn.Module,
    config: dict[str, Any],
    checkpoint: str | None,
    allow_random: bool,
) -> None:
    """Load the weights of a teacher from the first source that is given.

    The sources are ``checkpoint``, a local file; a ``Pretrained`` ``init_cfg`` (or
    ``pretrained='file'``) of the whole model, also a URL that
    :func:`~mmvitkd.checkpoint.download.download` takes; and ``pretrained=True`` of a
    ``TimmClassifier``, whose weights timm has loaded when it built the model.

    Raises:
        FileNotFoundError: If the file does not exist.
        OSError: If a download fails.
        ValueError: If it cannot be read, if a key is missing, unknown or of another shape,
            or if there is nothing to load and ``allow_random`` is not set.
    """
    file, key = checkpoint, 'teacher_ckpt'
    if not file:
        file, key = _pretrained_file(model), 'teacher.init_cfg.checkpoint'
    if file:
        load_file(model, file, key)
        print_log(f'Teacher loaded from {file}', logger='current')
    elif adapter_for(model).loads_pretrained and config.get('pretrained'):
        print_log(f'Teacher {config["model_name"]} loaded by timm', logger='current')
    elif not allow_random:
        raise KeyedValueError(
            f'{{teacher}}: nothing was loaded into this {config.get("type")}, its weights are '
            'random. Give {teacher_ckpt}="FILE" (or pretrained=True for a TimmClassifier), or '
            'set {allow_random_teacher}=True if that is what you want.',
            'teacher',
            'teacher_ckpt',
            'allow_random_teacher',
        )


def _pretrained_file(model: nn.Module) -> str | None:
    """Return the file that a ``Pretrained`` init_cfg of the whole model names, downloaded."""
    init_cfg = getattr(model, 'init_cfg', None)
    for cfg in init_cfg if isinstance(init_cfg, list) else [init_cfg or {}]:
        if cfg.get('type') == 'Pretrained':
            file = str(cfg['checkpoint'])
            return download(file) if file.startswith(('http://', 'https://')) else file
    return None


def load_file(model: nn.Module, checkpoint: str, key: str = 'teacher_ckpt') -> None:
    """Load a file of weights into a model; see :func:`load_teacher` for what it raises.

    From a distillation's checkpoint, the student is loaded. A timm model also accepts files
    that timm converts to its own names, such as the original ones of DINOv2 and CLIP.
    """
    weights = student_weights(checkpoint, key=key)
    adapter_for(model).load_weights(weights, key, checkpoint)
