"""Initialise a student from the checkpoint of a narrow pretrained model."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isqrt

from mmengine.logging import print_log
from mmpretrain.models import TimmClassifier
from torch import Tensor, nn

from ...checkpoint.load_strict import check_kinds, names_advice
from ...checkpoint.read import student_weights
from ...utils.errors import KeyedValueError
from ...utils.on_screen import OnScreen
from ..utils.adapters import adapter_for
from ..utils.adapters.timm_adapter import TimmAdapter
from ..utils.remedy import widened_modules
from .narrow_state_dict import POSITIONS, narrow_state_dict, num_patches
from .round_trip import INNER

SHOWN = 10
# Messages name tensors by these groups: a block, a neck or head, a layer.
GROUP = re.compile(
    r'(head|neck|backbone\.(layers\.\d+|stages\.\d+\.(blocks\.\d+|\w+)|\w+))(?=\.)'
)
# Parts that differ for another task or another width.
TOP = ('neck', 'head')
# Tensors of a file that may stay unused: another top, and tokens that the student lacks.
MAY_BE_UNUSED = re.compile(
    r'(head|neck)\.|backbone\.(cls_token|dist_token|mask_token|(ln[12]|norm\d?)\.)'
)


@dataclass
class Initialization:
    """Tensors of a narrow model that fit a student, to be loaded after ``init_weights()``.

    Attributes:
        path: The file that holds them.
        weights: The tensors by the student's names.
        new: The parts of the student that keep their initialisation.
        unused: The other tensors of the file.
        inner: What the student's state dict leaves out of the names of its parameters.
    """

    path: str
    weights: dict[str, Tensor]
    new: list[str]
    unused: list[str]
    inner: str = ''

    def load(self, student: nn.Module) -> None:
        """Load the tensors into the student, and log which parts are new.

        Position embeddings of another grid are resized by MMPretrain's own hook.
        """
        student.load_state_dict(self.weights, strict=False)
        own = [name.removeprefix(self.inner) for name, _ in student.named_parameters()]
        sizes = dict(zip(own, map(Tensor.numel, student.parameters()), strict=True))
        filled = [sizes[name] for name in own if name in self.weights]
        text = (
            f'Student starts from {self.path}: {len(filled)} tensors '
            f'({sum(filled) / 1e6:.3g} M parameters) filled; '
            f'new: {", ".join(self.new) or "nothing"}; '
            f'unused of the file: {", ".join(self.unused) or "nothing"}'
        )
        print_log(OnScreen(text), logger='current')


def narrow_start(student: nn.Module, path: str) -> Initialization:
    """Check by names and shapes that a narrow model's checkpoint fits a student, and read it.

    Every tensor must be in the file with its shape, and whatever else is in the file must be
    of a neck, a head, a final norm or a token that the student lacks: without a layer scale or
    a block of the file it would compute something else. Some parts may be new instead, each as
    a whole: what a remedy widened (:class:`~mmvitkd.models.utils.remedy.Remedy`), the neck and
    the head (another number of classes, another width, another type). They are loaded too if
    the file has the same part, as a distillation's own checkpoint does. The number of heads
    does not show in the shape of a tensor and is not checked.

    Args:
        student: An MMPretrain classifier, with or without a remedy, or a ``TimmClassifier``. It
            is not changed.
        path: A local file, see :func:`.narrow_state_dict.narrow_state_dict`.

    Returns:
        What to load after ``student.init_weights()``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, is of another architecture, or lacks something.
    """
    if isinstance(student, TimmClassifier):
        return _timm_start(student, path)
    if not hasattr(student, 'backbone'):
        raise KeyedValueError(
            '{student_ckpt}: wanted an MMPretrain ImageClassifier or TimmClassifier as '
            f'architecture, found a {type(student).__name__}.',
            'student_ckpt',
        )
    wanted, found = student.state_dict(), narrow_state_dict(path, student)
    check_kinds(wanted, found, 'student_ckpt', path)
    fitting = {k for k, v in wanted.items() if k in found and _fits(k, v, found[k], student)}
    new = []
    for part in dict.fromkeys([*widened_modules(student), *TOP]):
        keys = {key for key in wanted if key.startswith(f'{part}.')}
        same = keys == {key for key in found if key.startswith(f'{part}.')} and keys <= fitting
        if keys and not same:
            new.append(f'{part}.*')
            fitting -= keys
            wanted = {k: v for k, v in wanted.items() if k not in keys}
    unused = [key for key in found if key not in fitting]
    parts = tuple(part.removesuffix('*') for part in new)
    needed = [k for k in unused if not (MAY_BE_UNUSED.match(k) or k.startswith(parts))]
    if fitting != set(wanted) or needed:
        raise KeyedValueError(_misfit(path, wanted, found, fitting), 'student_ckpt')
    return Initialization(path, {key: found[key] for key in wanted}, new, _groups(unused))


def _timm_start(student: TimmClassifier, path: str) -> Initialization:
    """Check a file for a timm model: only the classifier may be new, or unused."""
    given, adapter = student_weights(path, key='student_ckpt'), adapter_for(student)
    assert isinstance(adapter, TimmAdapter)
    wanted, found = student.state_dict(), adapter.timm_names(given, 'student_ckpt', path)
    check_kinds(wanted, found, 'student_ckpt', path)
    heads = tuple(f'{name}.' for name in adapter.classifiers)
    fitting = {k for k, v in wanted.items() if k in found and v.shape == found[k].shape}
    tops = {key for key in {**wanted, **found} if key.startswith(heads)}
    is_same = tops & wanted.keys() == tops & found.keys() and tops <= fitting
    if not is_same:
        fitting -= tops
        wanted = {key: value for key, value in wanted.items() if key not in tops}
    unused = [key for key in found if key not in fitting]
    if fitting != set(wanted) or not tops.issuperset(unused):
        raise KeyedValueError(_misfit(path, wanted, found, fitting), 'student_ckpt')
    new = [] if is_same else [f'{name}*' for name in heads]
    return Initialization(path, {key: found[key] for key in wanted}, new, unused, INNER)


def _fits(name: str, wanted: Tensor, found: Tensor, student: nn.Module) -> bool:
    """Return whether shapes are equal, or MMPretrain's loading hook makes them so."""
    if wanted.shape == found.shape or name not in POSITIONS or found.dim() != 3:
        return bool(wanted.shape == found.shape)
    grid = found.shape[1] - (wanted.shape[1] - num_patches(student))
    is_square = grid > 0 and isqrt(grid) ** 2 == grid
    return bool(wanted.shape[2] == found.shape[2] and is_square)


def _groups(names: Iterable[str]) -> list[str]:
    """Shorten names, in order: ``backbone.layers.11.*`` for all of a block."""
    matches = ((name, GROUP.match(name)) for name in names)
    groups = {f'{match.group()}.*' if match else name for name, match in matches}
    return sorted(groups, key=lambda g: [(p.isdigit() and int(p), p) for p in g.split('.')])


def _misfit(
    path: str, wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], fitting: set[str]
) -> str:
    """Describe how much of the file fits the student, and what does not."""
    lines = []
    for name in (name for name in wanted if name not in fitting):
        given = tuple(found[name].shape) if name in found else 'not in the file'
        lines.append(f'  {name}: wanted {tuple(wanted[name].shape)}, found {given}')
    more = [f'  and {len(lines) - SHOWN} more'] if len(lines) > SHOWN else []
    extra = _groups(name for name in found if name not in wanted)
    extra[SHOWN:] = ['...'] if len(extra) > SHOWN else []
    return '\n'.join(
        [
            f'{{student_ckpt}}={path!r} does not fit the student: of the {len(wanted)} tensors '
            f'that it has to fill, {len(fitting)} fit.',
            *lines[:SHOWN],
            *more,
            f'  The file also has: {", ".join(extra) or "nothing"}',
            *names_advice(wanted, found),
        ]
    )
