"""The shorthand ``pairs=[(s, t), ...]``, written out in MMRazor's vocabulary."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from ..checks import PAIR

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
    weight = loss.get('loss_weight', 1.0) / max(len(pairs), 1)
    for i, pair in enumerate(pairs):
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise ValueError(
                f'pairs[{i}]={pair!r}: wanted (student layer, teacher layer), each a block '
                'index or the name of a module.'
            )
        pair_name, loss_name = f'{PAIR}{i}', f'loss_{PAIR}{i}'
        sources = (
            _source(pair[0], student_type, f'pairs[{i}][0]'),
            _source(pair[1], teacher_type, f'pairs[{i}][1]'),
        )
        record = dict(recorder=pair_name, connector=pair_name)
        additions = dict(
            student_recorders={pair_name: dict(type='ModuleOutputs', source=sources[0])},
            teacher_recorders={pair_name: dict(type='ModuleOutputs', source=sources[1])},
            connectors={pair_name: dict(type='mmvitkd.TokensToMap')},
            distill_losses={loss_name: {**loss, 'loss_weight': weight}},
            loss_forward_mappings={
                loss_name: dict(
                    preds_S=dict(record, from_student=True),
                    preds_T=dict(record, from_student=False),
                )
            },
        )
        for key, addition in additions.items():
            taken = addition.keys() & config.setdefault(key, {}).keys()
            if taken:
                raise ValueError(f'distiller.{key}: pairs wants the name {taken.pop()!r}.')
            config[key].update(addition)
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
