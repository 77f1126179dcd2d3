"""Expand the shorthand ``pairs=[(s, t), ...]`` to the config of MMRazor's distiller."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Protocol

import torch

from ...config.type_checks import default_weight, registered_type, takes_argument, type_name
from ...registry import MODELS
from ...utils.errors import KeyedValueError
from ..connectors.target_tokens_connector import KINDS
from ..utils.distiller_checks import PAIR, SCOPE
from ..utils.features import Grid, NamedFeature

Pair = tuple[int | str, int | str]
FINAL_NORM = 'final_norm'
TARGETS = (*KINDS, FINAL_NORM)


class Layers(Protocol):
    """What pairs need of a student's adapter and of a teacher; see ``BaseTeacher``."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def blocks(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def grids(self) -> Sequence[Grid | None]: ...  # noqa: D102
    @property
    def token_grid(self) -> Grid | None: ...  # noqa: D102
    @property
    def num_extra_tokens(self) -> int | None: ...  # noqa: D102
    @property
    def features(self) -> Mapping[str, NamedFeature]: ...  # noqa: D102


def expand_pairs(
    distiller: Mapping[str, Any] | None,
    pairs: Sequence[Pair],
    loss: Mapping[str, Any],
    student: Layers,
    teacher: Layers,
    projector: Mapping[str, Any] | None = None,
    target: str = 'raw',
    measured: bool = False,
    extra_losses: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Add recorders, connectors, losses and mappings for pairs of layers to a distiller.

    Args:
        distiller: The config of a ``ConfigurableDistiller`` to add to, or None.
        pairs: (student layer, teacher layer); each the index from 0 of a block, or of a
            stage where the model has stages; or the name of a module whose output is
            (B, N, C) or a map, such as ``'neck.norm'`` for Lift; or ``'tokens'``, the patch
            tokens after the final norm, or those of a remedy; or ``'embedding'`` on both
            sides, what a classifier reads: the class token, or what is pooled.
        loss: The config of the loss of every pair. The sum over the pairs is their mean
            times ``loss_weight`` (arXiv 2511.15572: several layers); without one, times the
            default of its class.
        student: The student's adapter, with its blocks and their layout.
        teacher: The teacher, with the same.
        projector: The config of a ``ProjectorConnector`` for the student's side of every
            pair, each with weights of its own. If it normalises with BatchNorm, the
            teacher's side is normalised likewise, as in ProjectorKD (arXiv 2511.06848).
        target: What the teacher's side is: 'raw', 'centred', 'standardised' or 'final_norm';
            see :class:`~mmvitkd.models.connectors.TargetTokens`. 'final_norm' is the output of
            the teacher's final norm in place of its last block.
        measured: Whether the statistics of the target are measured for any ``target``.
        extra_losses: The configs of further losses of every pair, by name. They get what
            ``loss`` gets, of the same projector, and share their weight likewise.

    Returns:
        The full config of the distiller.

    Raises:
        ValueError: If pairs are malformed, an index cannot be resolved, a name is taken, a
            projector lacks its widths, or the target is unknown, or none of the teacher's.
    """
    config: dict[str, Any] = deepcopy(dict(distiller or {}))
    if not isinstance(pairs, Sequence) or isinstance(pairs, str):
        raise ValueError(f'pairs={pairs!r}: wanted a list of (student layer, teacher layer).')
    scope = config.get('_scope_', SCOPE)
    takes_features = getattr(registered_type(loss, 'pair_loss', scope), 'takes_features', False)
    loss = _loss_of_each(loss, len(pairs), scope, 'pair_loss')
    extra_losses = _extra_losses(extra_losses or {}, len(pairs), scope)
    _check_target(target, measured, projector)
    kind = target if target in KINDS else 'raw'
    for i, pair in enumerate(pairs):
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise ValueError(
                f'pairs[{i}]={pair!r}: wanted (student layer, teacher layer), each a block '
                'index or the name of a module.'
            )
        pair_name, loss_name = f'{PAIR}{i}', f'loss_{PAIR}{i}'
        found = (
            _feature(pair[0], student, f'pairs[{i}][0]', 'student'),
            _feature(pair[1], teacher, f'pairs[{i}][1]', 'teacher'),
        )
        if target == FINAL_NORM:
            found = found[0], _normed(pair[1], found[1], teacher, f'pairs[{i}][1]')
        found = _both_pooled(pair, found, f'pairs[{i}]')
        layouts = _layout(student, found[0]), _layout(teacher, found[1])
        connectors = _connectors(pair_name, layouts, takes_features, projector, scope)
        if kind != 'raw' or measured:
            side = dict(layouts[1], type='mmvitkd.TargetTokens', kind=kind)
            side['as_map'] = not takes_features
            connectors = _with_target(pair_name, connectors, side)
        names = list(connectors)
        mapping = dict(
            preds_S=dict(recorder=pair_name, from_student=True, connector=names[0]),
            preds_T=dict(recorder=pair_name, from_student=False, connector=names[-1]),
        )
        losses = {loss_name: loss}
        losses |= {f'{loss_name}_{name}': extra for name, extra in extra_losses.items()}
        additions = dict(
            student_recorders={pair_name: _recorder(found[0])},
            teacher_recorders={pair_name: _recorder(found[1])},
            connectors=connectors,
            distill_losses=deepcopy(losses),
            loss_forward_mappings={name: deepcopy(mapping) for name in losses},
        )
        for key, addition in additions.items():
            config[key] = config.get(key) or {}
            taken = addition.keys() & config[key].keys()
            if taken:
                raise ValueError(f'distiller.{key}: pairs needs the name {taken.pop()!r}.')
            config[key].update(addition)
    return config


def _extra_losses(given: Any, count: int, scope: str) -> dict[str, dict[str, Any]]:
    """Return the configs of the further losses of one pair, by name."""
    key = 'pair_extra_losses'
    if not isinstance(given, Mapping) or not all(str(name).isidentifier() for name in given):
        raise KeyedValueError(
            f'{{{key}}}={given!r}: wanted configs of losses by names of letters, digits and _.',
            key,
        )
    return {
        name: _loss_of_each(loss, count, scope, f'{key}.{name}') for name, loss in given.items()
    }


def _loss_of_each(given: Mapping[str, Any], count: int, scope: str, key: str) -> dict[str, Any]:
    """Return the config of the loss of one pair, with its share of the weight."""
    kind = registered_type(given, key, scope)
    whole = given.get('loss_weight', default_weight(kind))
    if isinstance(whole, bool) or not isinstance(whole, int | float):
        raise ValueError(f'{key}.loss_weight={whole!r}: wanted one number for all pairs.')
    weight = whole / max(count, 1)
    if takes_argument(kind, 'loss_weight'):
        return {**given, 'loss_weight': weight}
    if weight != 1 or 'loss_weight' in given:
        raise KeyedValueError(
            f"{{{key}}}: {type_name(kind)} takes no argument 'loss_weight', and each pair "
            f'has the weight {weight:g}: that of {key} over the number of pairs.',
            key,
        )
    return dict(given)


def _recorder(feature: NamedFeature) -> dict[str, Any]:
    kind = 'ModuleInputs' if feature.is_input else 'ModuleOutputs'
    return dict(type=kind, source=feature.source)


def _both_pooled(
    pair: Pair, found: tuple[NamedFeature, NamedFeature], key: str
) -> tuple[NamedFeature, NamedFeature]:
    """Return a pair of embeddings if one is: a module of unknown output counts as one too.

    Raises:
        ValueError: If an embedding is compared with patch tokens.
    """
    if found[0].pool is None and found[1].pool is None:
        return found
    for layer, feature in zip(pair, found, strict=True):
        if feature.pool is None and (not isinstance(layer, str) or layer == 'tokens'):
            raise KeyedValueError(
                f'{{{key}}}={tuple(pair)!r}: an embedding is one vector, and {layer!r} is one '
                "for each patch; wanted ('embedding', 'embedding').",
                key,
            )
    student, teacher = (f if f.pool else f._replace(pool='mean') for f in found)
    return student, teacher


def _layout(model: Layers, feature: NamedFeature) -> dict[str, Any]:
    """Return the known layout of a module's tokens, as arguments of a connector.

    A square grid is left out: connectors find it from the number of tokens at any image size.
    """
    layout: dict[str, Any] = {}
    if feature.num_extra_tokens is not None:
        layout['num_extra_tokens'] = feature.num_extra_tokens
    if feature.pool is not None:
        return {**layout, 'pool': feature.pool}
    source = feature.source
    grid = model.token_grid
    if source in model.blocks:
        grid = model.grids[list(model.blocks).index(source)] if model.grids else None
        if model.num_extra_tokens is not None:
            layout['num_extra_tokens'] = model.num_extra_tokens
    if grid is not None and grid[0] != grid[1]:
        layout['grid'] = grid
    return layout


def _connectors(
    pair_name: str,
    layouts: tuple[dict[str, Any], dict[str, Any]],
    takes_features: bool,
    projector: Mapping[str, Any] | None,
    scope: str,
) -> dict[str, dict[str, Any]]:
    """Return one connector for both sides, or one for each if they differ."""
    kind = 'mmvitkd.PatchTokens' if takes_features else 'mmvitkd.TokensToMap'
    student, teacher = (dict(type=kind, **layout) for layout in layouts)
    if projector is not None:
        config, width = _projector(projector, scope)
        student = {**layouts[0], **config}
        if config.get('norm', 'BN') == 'BN':
            teacher.update(type='mmvitkd.ProjectorConnector', in_channels=width)
    if student == teacher:
        return {pair_name: student}
    return {f'{pair_name}_S': student, f'{pair_name}_T': teacher}


def _with_target(
    pair_name: str, connectors: dict[str, dict[str, Any]], target: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return the connectors with another one on the teacher's side."""
    student = next(iter(connectors.values()))
    return {f'{pair_name}_S': student, f'{pair_name}_T': target}


def _check_target(target: Any, measured: bool, projector: Any) -> None:
    if target not in TARGETS:
        raise KeyedValueError(
            f'{{pair_target}}={target!r}: wanted one of {", ".join(map(repr, TARGETS))}.',
            'pair_target',
        )
    is_batch_norm = isinstance(projector, Mapping) and projector.get('norm', 'BN') == 'BN'
    if is_batch_norm and (target in KINDS[1:] or measured):
        stated = ('pair_target', target) if target in KINDS[1:] else ('norm_from_target', True)
        key, value = stated
        raise KeyedValueError(
            f'{{{key}}}={value!r}: a pair_projector with BatchNorm standardises the '
            "target itself, batch by batch; wanted pair_projector.norm='LN' or None.",
            key,
        )


def _normed(layer: int | str, found: NamedFeature, teacher: Layers, key: str) -> NamedFeature:
    """Return the output of the teacher's final norm in place of its last block.

    Raises:
        ValueError: If it has none, or another layer is given.
    """
    tokens = teacher.features.get('tokens')
    blocks = list(teacher.blocks)
    if tokens is None or tokens.source in blocks:
        raise KeyedValueError(
            f'{{pair_target}}={FINAL_NORM!r}: {teacher.name}, the teacher, has no final norm; '
            "wanted 'raw', 'centred' or 'standardised'.",
            'pair_target',
        )
    if found.pool is not None or found.source == tokens.source:
        return found  # after the norm already
    if found.source not in blocks[-1:]:
        last = f', block {len(blocks) - 1} ({blocks[-1]})' if blocks else ''
        raise KeyedValueError(
            f'{{pair_target}}={FINAL_NORM!r}: {key}={layer!r} is not the last block of the '
            f'teacher{last}, which its final norm {tokens.source!r} is for.',
            'pair_target',
        )
    return tokens


def _projector(given: Mapping[str, Any], scope: str) -> tuple[dict[str, Any], int]:
    """Return the student's projector and the teacher's width."""
    if not isinstance(given, Mapping):
        raise ValueError(f'pair_projector={given!r}: wanted dict(in_channels=, out_channels=).')
    for key in ('in_channels', 'out_channels'):
        width = given.get(key)
        if not isinstance(width, int) or isinstance(width, bool) or width < 1:
            raise ValueError(
                f'pair_projector.{key}={given.get(key)!r}: wanted the width of the '
                f"{'student' if key == 'in_channels' else 'teacher'}'s feature."
            )
    config = {'type': 'mmvitkd.ProjectorConnector', **given}
    registered_type(config, 'pair_projector', scope)
    try:
        with torch.device('meta'):  # to check it, without drawing weights
            MODELS.build({'_scope_': scope, **config})
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f'pair_projector={dict(given)!r}: {error}') from error
    return config, given['out_channels']


def _feature(layer: int | str, model: Layers, key: str, role: str) -> NamedFeature:
    """Return where a layer is, given by name or by index into a model's blocks."""
    if layer == 'embedding' and model.features and layer not in model.features:
        raise KeyedValueError(
            f'{{{key}}}={layer!r}: the {role} ({model.name}) has no single one, or it is not '
            'known; name the module whose output it is.',
            key,
        )
    if isinstance(layer, str):
        return model.features.get(layer, NamedFeature(layer))
    if not isinstance(layer, int) or isinstance(layer, bool):
        raise ValueError(
            f'{key}={layer!r}: wanted a block index of the {role} or the name of a module.'
        )
    blocks, kind = model.blocks, model.name
    if not blocks:
        own = ' or the tensor, or set `blocks` in a teacher of your own'
        raise ValueError(
            f'{key}={layer}: the blocks of {kind} are not known; name the '
            f'module{own if role == "teacher" else ""}.'
        )
    if not 0 <= layer < len(blocks):
        raise ValueError(
            f'{key}={layer}: the {role} ({kind}) has {len(blocks)} blocks or stages, '
            f'counted from 0 to {len(blocks) - 1}.'
        )
    return NamedFeature(blocks[layer])
