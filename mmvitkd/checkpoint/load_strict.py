"""Load weights strictly, with a short error that names what does not fit."""

from collections.abc import Collection, Mapping

from torch import Tensor, nn

from ..utils.errors import KeyedValueError, listed
from .converters.foreign import foreign_hint
from .converters.key_rules import find_layout
from .read import student_weights
from .wrappers import fit_names


def load_strict(
    model: nn.Module,
    weights: Mapping[str, Tensor],
    key: str,
    path: str,
    kept: Collection[str] = (),
) -> None:
    """Load a state dict whose keys must be exactly the model's, and its tensors of its kinds.

    Args:
        model: The model.
        weights: A state dict.
        key: The setting that names the weights, such as 'checkpoint', for the message.
        path: Its value.
        kept: Names of the model's tensors that stay as they are.

    Raises:
        KeyedValueError: If they differ; the message counts the tensors that fit, and lists a
            few that do not.
    """
    own = model.state_dict()
    weights = fit_names(own, weights)
    check_kinds(own, weights, key, path)
    try:
        model.load_state_dict({**{name: own[name] for name in kept}, **weights}, strict=True)
    except RuntimeError as error:
        wanted = {name: value for name, value in own.items() if name not in kept}
        what = f'{{{key}}}={path!r} does not fit the model, a {type(model).__name__}'
        message = _misfit(wanted, weights, what, error)
        raise KeyedValueError(message, key) from None


def check_kinds(
    own: Mapping[str, Tensor], weights: Mapping[str, Tensor], key: str, path: str
) -> None:
    """Check that what a model holds in floating point is so in a state dict too.

    Loading would convert integers, booleans and complex numbers, which are no weights.

    Args:
        own: The model's state dict.
        weights: The one to load.
        key: The setting that names the weights, for the message.
        path: Its value.

    Raises:
        KeyedValueError: If there are others; the message lists a few.
    """
    wrong = [
        f'{name}: wanted {str(own[name].dtype)[6:]}, found {str(value.dtype)[6:]}'
        for name, value in weights.items()
        if name in own
        and (own[name].is_floating_point() > value.is_floating_point() or value.is_complex())
    ]
    if wrong:
        message = f'{{{key}}}={path!r} holds numbers that are no weights: {listed(wrong)}.'
        raise KeyedValueError(message, key)


def check_restored(
    model: nn.Module, weights: Mapping[str, Tensor], key: str, path: str
) -> None:
    """Check that a checkpoint fills a whole model, however it is loaded.

    Buffers that the model's own loading leaves as they are, such as a Swin's index tables, need
    not be in it.

    Args:
        model: The model.
        weights: The state dict that was loaded into it, or will be.
        key: The setting that names the file, for the message.
        path: The file.

    Raises:
        KeyedValueError: If tensors are missing, unknown or of another shape.
    """
    own = model.state_dict()
    weights = fit_names(own, weights)
    differing = [
        name
        for name in {**own, **weights}
        if name not in own or name not in weights or own[name].shape != weights[name].shape
    ]
    if differing and set(differing) - set(not_restored(model)):
        what = f'{{{key}}}={path!r} does not fit the model, a {type(model).__name__}'
        raise KeyedValueError(_misfit(own, weights, what, RuntimeError()), key)


def not_restored(model: nn.Module) -> list[str]:
    """Return the names of the tensors that loading a model's own state dict does not fill.

    The model's weights stay as they are.
    """
    return list(model.load_state_dict(model.state_dict(), strict=False).missing_keys)


def load_student(model: nn.Module, path: str, ema: bool = False) -> None:
    """Load the student's weights from a checkpoint of its training, strictly.

    Args:
        model: The student.
        path: A checkpoint of the distillation, or of the student alone.
        ema: Whether to take the exponential moving average.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or its weights do not fit the student.
    """
    load_strict(model, student_weights(path, ema), 'checkpoint', path)


def _misfit(
    own: Mapping[str, Tensor], weights: Mapping[str, Tensor], what: str, error: RuntimeError
) -> str:
    both = [key for key in own if key in weights]
    shapes = {k: (tuple(own[k].shape), tuple(weights[k].shape)) for k in both}
    reshaped = [f'{k}: wanted {w}, found {f}' for k, (w, f) in shapes.items() if w != f]
    lists = {
        'missing': [key for key in own if key not in weights],
        'unknown': [key for key in weights if key not in own],
        'of another shape': reshaped,
    }
    lines = [f'  {name}: {listed(keys)}.' for name, keys in lists.items() if keys]
    fit = len(both) - len(reshaped)
    head = f'{what}: {fit} of its {len(own)} tensors fit.'
    return '\n'.join([head, *(lines or [f'  {error}']), *names_advice(own, weights)])


def names_advice(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> list[str]:
    """Return a line of advice if model and file have names of different kinds.

    Args:
        own: The model's state dict.
        weights: The file's.
    """
    if not own.keys() & weights.keys() and (hint := foreign_hint(weights)):
        return [f'  {hint}']
    layouts = find_layout(own), find_layout(weights)
    if None in layouts or layouts[0] == layouts[1]:
        return []
    return [
        f'  The file has the names of {layouts[1]}, the model those of {layouts[0]}: '
        'tools/model_converters/convert_checkpoint.py converts some of them.'
    ]
