"""Tell one teacher from another: by its config, the file of its weights, the weights."""

import hashlib
import json
import os.path as osp
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ...checkpoint.read import student_weights
from .base_teacher import BaseTeacher
from .config import teacher_config

# What a teacher is made for, which a cache tells in its place.
DESCRIPTION = (
    *('input_size', 'blocks', 'widths', 'grids', 'num_extra_tokens', 'num_classes'),
    'features',
)


def identity_of_config(
    teacher: Any, checkpoint: str | None, options: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return, as JSON, what a config says of a teacher; nothing is built.

    Args:
        teacher: See :func:`~mmvitkd.models.teachers.make_teacher`.
        checkpoint: The file of its weights, which count if it exists.
        options: The options of a live teacher, of which the precision counts.
    """
    identity: dict[str, Any] = dict(precision=(options or {}).get('precision'))
    if isinstance(teacher, str | Mapping):
        identity['config'] = teacher_config(teacher, allow_random=False)
        # What the weights are counts, not where they come from.
        for key in ('pretrained', 'checkpoint_path', 'init_cfg'):
            identity['config'].pop(key, None)
    else:
        identity['config'] = dict(type=type(teacher).__name__)
    if checkpoint and osp.isfile(path := osp.expanduser(checkpoint)):
        identity['checkpoint_sha256'] = weights_sha256(
            student_weights(path, key='teacher_ckpt')
        )
    return _as_json(identity)


def description_of(teacher: BaseTeacher) -> dict[str, Any]:
    """Return, as JSON, what a teacher is made for, and its name."""
    return _as_json(
        {key: getattr(teacher, key) for key in DESCRIPTION} | {'name': teacher.name}
    )


def weights_sha256(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of a state dict: of names, types, shapes and numbers."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        digest.update(f'{name} {tensor.dtype} {tuple(tensor.shape)}\n'.encode())
        plain = tensor.detach().cpu().contiguous().flatten()
        digest.update(memoryview(plain.view(torch.uint8).numpy()))
    return digest.hexdigest()


def _as_json(content: dict[str, Any]) -> dict[str, Any]:
    """Return a dict as it is after writing and reading it: with lists for tuples."""
    read: dict[str, Any] = json.loads(json.dumps(content, default=str))
    return read
