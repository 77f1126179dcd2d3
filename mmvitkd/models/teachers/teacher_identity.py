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


# Where a config says that a model's weights come from.
SOURCES = ('pretrained', 'checkpoint_path', 'init_cfg')


def identity_of_config(
    teacher: Any,
    checkpoint: str | None,
    allow_random: bool,
    options: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return, as JSON, what a config says of a teacher; nothing is built.

    Args:
        teacher: See :func:`~mmvitkd.models.teachers.make_teacher`.
        checkpoint: The file of its weights, which count if it exists.
        allow_random: Whether it may have none.
        options: The options of a live teacher, of which the precision counts.
    """
    identity: dict[str, Any] = dict(precision=(options or {}).get('precision'))
    identity['config'] = dict(type=type(teacher).__name__)
    stated: dict[str, Any] = {}
    if is_config := isinstance(teacher, str | Mapping):
        identity['config'] = teacher_config(teacher, allow_random)
        # What the weights are counts, not where they come from.
        stated = {key: identity['config'].pop(key, None) for key in SOURCES}
    sources = {key: value for key, value in stated.items() if value}
    is_known = is_config and not allow_random
    identity['weights'] = 'teacher_ckpt' if checkpoint else sources or (is_known and 'config')
    path = osp.expanduser(checkpoint or _file_of(sources))
    if osp.isfile(path):
        weights = student_weights(path, key='teacher_ckpt' if checkpoint else 'teacher')
        identity['checkpoint_sha256'] = weights_sha256(weights)
    return _as_json(identity)


def may_differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether only the weights themselves tell whether two teachers have the same.

    Args:
        one: What :func:`identity_of_config` returned.
        other: The same of another config.
    """
    files = [side.get('checkpoint_sha256') for side in (one, other)]
    if None not in files:
        return files[0] != files[1]  # a converted file has the same weights by other names
    return not one['weights'] or one['weights'] != other.get('weights')


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


def _file_of(sources: Mapping[str, Any]) -> str:
    """Return the path among the sources of weights, '' without one."""
    init_cfg = sources.get('init_cfg')
    found = init_cfg.get('checkpoint') if isinstance(init_cfg, Mapping) else None
    given = (found, sources.get('checkpoint_path'), sources.get('pretrained'))
    return next((path for path in given if isinstance(path, str)), '')


def _as_json(content: dict[str, Any]) -> dict[str, Any]:
    """Return a dict as it is after writing and reading it: with lists for tuples."""
    read: dict[str, Any] = json.loads(json.dumps(content, default=str))
    return read
