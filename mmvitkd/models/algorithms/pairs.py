"""The shorthand ``pairs=[(s, t), ...]``, written out in MMRazor's vocabulary."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

Pair = tuple[int | str, int | str]

# Where a classifier of each type keeps its blocks.
BLOCKS = {'ImageClassifier': 'backbone.layers', 'TimmClassifier': 'model.blocks'}


def expand_pairs(
    distiller: Mapping[str, Any] | None,
    pairs: Sequence[Pair],
    loss: Mapping[str, Any],
    student_type: str,
    teacher_type: str,
) -> dict[str, Any]:
    """Add recorders, connectors, losses and mappings for pairs of layers to a distiller.

    Args:
        distiller: The config of a ``ConfigurableDistiller`` to add to, or None.
        pairs: (student layer, teacher layer); each a block's index from 0, or the name of
            a module whose output is (B, N, C), such as ``'neck.norm'`` for Lift.
        loss: The config of the loss of every pair. The sum over the pairs is their mean
            times ``loss_weight`` (arXiv 2511.15572: several layers).
        student_type: The type of the student's config, which tells where its blocks are.
        teacher_type: The same of the teacher's.

    Returns:
        The full config of the distiller.

    Raises:
        ValueError: If a pair is not a pair, or an index cannot be resolved.
    """
    config: dict[str, Any] = deepcopy(dict(distiller or {}))
    config.setdefault('_scope_', 'mmrazor')
    config.setdefault('type', 'ConfigurableDistiller')
    parts: dict[str, dict] = {
        key: config.setdefault(key, {})
        for key in (
            'student_recorders',
            'teacher_recorders',
            'connectors',
            'distill_losses',
            'loss_forward_mappings',
        )
    }
    weight = loss.get('loss_weight', 1.0) / max(len(pairs), 1)
    for i, pair in enumerate(pairs):
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise ValueError(
                f'pairs[{i}]={pair!r}: wanted (student layer, teacher layer), each a block '
                'index or the name of a module.'
            )
        student, teacher, name = f'student_{i}', f'teacher_{i}', f'loss_pair_{i}'
        sources = (
            _source(pair[0], student_type, f'pairs[{i}][0]'),
            _source(pair[1], teacher_type, f'pairs[{i}][1]'),
        )
        parts['student_recorders'][student] = dict(type='ModuleOutputs', source=sources[0])
        parts['teacher_recorders'][teacher] = dict(type='ModuleOutputs', source=sources[1])
        for connector in (student, teacher):
            parts['connectors'][connector] = dict(type='mmvitkd.TokensToMap')
        parts['distill_losses'][name] = {**loss, 'loss_weight': weight}
        parts['loss_forward_mappings'][name] = dict(
            preds_S=dict(recorder=student, from_student=True, connector=student),
            preds_T=dict(recorder=teacher, from_student=False, connector=teacher),
        )
    return config


def _source(layer: int | str, model_type: str, key: str) -> str:
    """The module name of a layer given by name, or by index into a model's blocks."""
    if isinstance(layer, str):
        return layer
    blocks = BLOCKS.get(model_type.split('.')[-1])
    if blocks is None or layer < 0:
        raise ValueError(
            f'{key}={layer}: a block is counted from 0, in one of {", ".join(BLOCKS)}; in a '
            f'{model_type} name the module instead.'
        )
    return f'{blocks}.{layer}'
