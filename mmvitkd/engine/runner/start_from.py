"""Start a run from the weights of a file (``load_from``): all of them, or an error says why."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mmengine.runner import Runner
from torch import Tensor, nn

from ...checkpoint.load_strict import load_strict
from ...checkpoint.loader import load_checkpoint
from ...checkpoint.read import STUDENT_PREFIX, student_of, weights_of
from ...checkpoint.wrappers import fit_names
from ...models.utils.adapters import adapter_for
from ...models.utils.adapters.timm_adapter import TimmAdapter
from ...models.utils.mmpretrain_names import mmpretrain_names
from ...utils.errors import KeyedValueError, add_note
from ...utils.on_screen import OnScreen
from ...utils.unwrap import unwrap_model

Weights = dict[str, Tensor]
KEY = 'load_from'
NEW_KEY = 'load_from_new'


def start_from(runner: Runner, path: str, new: Sequence[str] = ()) -> None:
    """Load the weights of a file into a runner's model, strictly.

    The file may hold the whole model, as a checkpoint of such a run does, or the student alone:
    an export, a published model, or a ViT of timm or DeiT, whose tensors are renamed. The rest
    of a distillation then keeps its initialisation. A student takes its weights from the
    checkpoint of a distillation. Hooks are called as by ``Runner.load_checkpoint``.

    Args:
        runner: The runner.
        path: The file, or a URL that MMEngine can load.
        new: Parts of the model, by the start of their names, such as ``['head', 'neck']``. Each
            may keep its initialisation, as a whole, and be unused in the file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or does not fit; the message counts the tensors that
            do, and lists a few of the others. Or if neither the model nor the file has one of
            the parts in ``new``.
    """
    checkpoint = load_checkpoint(path, map_location='cpu')
    model = unwrap_model(runner.model)
    target, weights = _fitted(model, weights_of(checkpoint, path), path)
    _check_parts(new, [*model.state_dict(), *weights])
    used, kept = _without_new(target, weights, new)
    try:
        load_strict(target, used, KEY, path, kept)
    except KeyedValueError as error:
        add_note(error, _advice(target.state_dict(), used, kept))
        raise
    around = [] if target is model else model.state_dict()
    others = kept | {name for name in around if not name.startswith(STUDENT_PREFIX)}
    unused = weights.keys() - used.keys()
    text = (
        f'{KEY}: {len(used)} tensors of {path}; '
        f'new: {", ".join(_top_parts(others)) or "nothing"}; '
        f'unused of the file: {", ".join(_top_parts(unused)) or "nothing"}'
    )
    runner.logger.info(OnScreen(text))
    state = checkpoint if 'state_dict' in checkpoint else {}
    state = {**state, 'state_dict': model.state_dict()}
    runner.call_hook('after_load_checkpoint', checkpoint=state)


def _fitted(model: nn.Module, found: Weights, path: str) -> tuple[nn.Module, Weights]:
    """Return the model or its student, as the file holds, and the weights by its names."""
    whole = any(name.startswith(STUDENT_PREFIX) for name in model.state_dict())
    if whole and any(name.startswith(STUDENT_PREFIX) for name in found):
        return model, found
    student: Any = model.architecture if whole else model
    weights = student_of(found, path)
    adapter = adapter_for(student)
    if isinstance(adapter, TimmAdapter):
        return student, adapter.timm_names(weights, KEY, path)
    if not hasattr(student, 'backbone'):  # not a classifier of MMPretrain
        return student, dict(fit_names(student.state_dict(), weights))
    try:
        return student, mmpretrain_names(weights, student)
    except ValueError as error:
        raise KeyedValueError(f'{{{KEY}}}={path!r}: {error}.', KEY) from None


def _check_parts(new: Sequence[str], names: Collection[str]) -> None:
    for part in new:
        if not any(_is_below(name, part) for name in names):
            raise KeyedValueError(
                f'{{{NEW_KEY}}}: neither the model nor the file has a part {part!r}; they '
                f'have {", ".join(_top_parts(names))}.',
                NEW_KEY,
            )


def _without_new(
    model: nn.Module, weights: Weights, new: Sequence[str]
) -> tuple[Weights, set[str]]:
    """Return the weights to load, and the names of the model's tensors that keep their own."""
    own, used, kept = model.state_dict(), dict(weights), set()
    for part in new:
        mine = {name for name in own if _is_below(name, part)}
        given = {name for name in weights if _is_below(name, part)}
        if mine != given or any(own[name].shape != weights[name].shape for name in mine):
            kept |= mine
            used = {name: value for name, value in used.items() if name not in given}
    return used, kept


def _is_below(name: str, part: str) -> bool:
    """Return whether a tensor is of a part; 'architecture.' may be left out of both."""
    name, part = name.removeprefix(STUDENT_PREFIX), part.removeprefix(STUDENT_PREFIX)
    return f'{name}.'.startswith(f'{part}.')


def _top_parts(names: Collection[str]) -> list[str]:
    return sorted({name.removeprefix(STUDENT_PREFIX).partition('.')[0] for name in names})


def _advice(own: Mapping[str, Tensor], weights: Weights, kept: set[str]) -> str:
    """Say how to start anew what does not fit, unless that is the backbone."""
    wrong = [
        name
        for name in {**own, **weights}
        if name not in kept
        and (name not in own or name not in weights or own[name].shape != weights[name].shape)
    ]
    parts = _top_parts(wrong)
    if 'backbone' in parts or len(wrong) >= len(own):
        return ''
    return f'If these may start anew: {NEW_KEY}={parts}'
