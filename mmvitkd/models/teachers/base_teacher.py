"""The contract of a teacher: a batch in, named tensors out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmpretrain.structures import DataSample
from mmrazor.models.task_modules import RecorderManager
from torch import Tensor, nn

from ...suggestions import close_names
from ...utils.errors import KeyedValueError, listed
from ..utils.cost import Cost
from ..utils.distiller_checks import PAIR
from ..utils.features import Grid, NamedFeature
from ..utils.normalization import Normalization

Samples = Sequence[DataSample] | None


class BaseTeacher:
    """A teacher of a distillation; ``FeatureDistill`` uses these members alone.

    A subclass implements :meth:`forward`, and what else it can provide. Registered
    (``@mmvitkd.registry.MODELS.register_module()``), it is named in a config as
    ``model.teacher=dict(type=...)``.

    It is not an ``nn.Module``: a model that holds a teacher as an attribute has no teacher
    weight in its ``state_dict``, DDP sync, EMA, optimizer or checkpoint. ``copy.deepcopy``
    shares it.

    Attributes:
        input_size: (H, W) in pixels that it is made for, or None if it takes any size.
        normalization: How its input is normalised, or None if unknown.
        blocks: The names of its blocks, which the integers in ``pairs`` count from 0.
        widths: The number of channels of each block.
        grids: (H, W) of the tokens or map of each block, None if unknown.
        num_extra_tokens: How many tokens precede the patches in each block's output (class,
            distillation, registers), or None if unknown.
        num_classes: The number of classes, or None if it has none.
        features: Where a model has what ``pairs`` call ``'embedding'`` and ``'tokens'``. Of a
            teacher that states none, these are names of tensors like others.
    """

    input_size: Grid | None = None
    normalization: Normalization | None = None
    blocks: Sequence[str] = ()
    widths: Sequence[int] = ()
    grids: Sequence[Grid | None] = ()
    num_extra_tokens: int | None = None
    num_classes: int | None = None
    features: Mapping[str, NamedFeature] = {}

    def prepare(
        self, recorders: RecorderManager, data_preprocessor: nn.Module | None = None
    ) -> None:
        """Prepare for what is to be computed; called once, before the first batch.

        This one checks the names in ``pairs``: where the teacher states ``blocks``, they must
        be among them, or be where ``features`` are. A teacher that overrides it may accept
        other names.

        Args:
            recorders: MMRazor's recorders, not yet initialised. The names in
                ``recorders.recorders`` are those of the tensors to return, and each
                recorder's ``source`` is the name that the config gives it: for ``pairs``, that
                of the block or module.
            data_preprocessor: The student's preprocessor, which normalises the images.

        Raises:
            ValueError: If a pair names something that is neither.
        """
        sources = self._sources()
        for name, recorder in recorders.recorders.items():
            if not name.startswith(PAIR) or not self.blocks or recorder.source in sources:
                continue
            key = f'pairs[{name.removeprefix(PAIR)}][1]'
            close = close_names(recorder.source, sources) or sources
            raise KeyedValueError(
                f'{{{key}}}: {recorder.source!r} is no block of {type(self).__name__}. '
                f'Similar names: {listed(close)}.',
                key,
            )

    def _sources(self) -> Sequence[str]:
        """Return the names that ``pairs`` may have: ``blocks``, and where ``features`` are."""
        return [*self.blocks, *(feature.source for feature in self.features.values())]

    def forward(self, images: Tensor, data_samples: Samples) -> Mapping[str, Any]:
        """Compute, or look up, the tensors of a batch.

        Args:
            images: (B, 3, H, W), normalised and augmented for the student.
            data_samples: The B data samples of the images, with all that the pipeline packed
                into them (labels, ``img_path``, ``sample_idx``, the augmentation); None if a
                caller has images alone.

        Returns:
            By name, the output of each module ``source``, without gradient: tokens
            (B, E + N, C), a map, or a tuple that begins with one.
        """
        raise NotImplementedError

    def start(self, images: Tensor, data_samples: Samples = None) -> Callable[[], Any]:
        """Start computing a batch; the student runs before the result is used.

        Args:
            images: See :meth:`forward`.
            data_samples: The same.

        Returns:
            A function that returns the tensors by name, to be called once, where they are
            needed.

        Raises:
            ValueError: If :meth:`forward` breaks this contract.
        """
        outputs = self.forward(images, data_samples)
        if not isinstance(outputs, Mapping):
            raise KeyedValueError(
                f'{{teacher}}: {type(self).__name__}.forward returned a '
                f'{type(outputs).__name__}, wanted a dict of tensors by name.',
                'teacher',
            )
        for name, output in outputs.items():
            first = output[0] if isinstance(output, tuple) and output else output
            shape = tuple(first.shape) if isinstance(first, Tensor) else type(output).__name__
            if not isinstance(first, Tensor) or first.dim() == 0 or len(first) != len(images):
                raise KeyedValueError(
                    f'{{teacher}}: {type(self).__name__} returned {shape} as {name!r}, '
                    f'wanted a tensor whose first dimension is the batch, {len(images)}.',
                    'teacher',
                )
        return lambda: outputs

    def __call__(self, images: Tensor, data_samples: Samples = None) -> Any:
        """Return the tensors of a batch by name; see :meth:`forward`."""
        return self.start(images, data_samples)()

    def dry_run(self, images: Tensor) -> Any:
        """Return tensors of the right shapes for images that are from no data set.

        Override it if :meth:`forward` needs the data samples.
        """
        return self(images)

    def logits(self, images: Tensor, data_samples: Samples = None) -> Tensor | None:
        """Return the logits (B, ``num_classes``) of a batch, or None if there are none.

        The batches are those of the validation set, after its pipeline.
        """
        return None

    def cost(self, images: Tensor) -> Cost | None:
        """Return the parameters and multiply-accumulates for a batch, or None if unknown."""
        return None

    def fingerprint(self) -> str | None:
        """Return a digest of the weights, which tells teachers apart; None if unknown."""
        return None

    def apply(self, function: Callable[[Tensor], Tensor]) -> None:
        """Apply a function, such as that of ``nn.Module.to``, to the teacher's tensors."""

    @property
    def name(self) -> str:
        """The teacher's name in messages."""
        return type(self).__name__

    @property
    def token_grid(self) -> Grid | None:
        """(H, W) of the tokens of all blocks, or None if they differ or are unknown."""
        grids = set(self.grids)
        return grids.pop() if len(grids) == 1 else None

    def __deepcopy__(self, memo: dict[int, Any]) -> 'BaseTeacher':
        return self


def check_teacher(teacher: Any) -> BaseTeacher:
    """Check that a teacher keeps to the contract of :class:`BaseTeacher`, and return it.

    Raises:
        ValueError: If it does not; the message names what it lacks.
    """
    kind = type(teacher)
    if not isinstance(teacher, BaseTeacher):
        raise KeyedValueError(
            f'{{teacher}}: found a {kind.__name__}, wanted a model (nn.Module) or a subclass '
            'of mmvitkd.models.teachers.BaseTeacher.',
            'teacher',
        )
    if isinstance(teacher, nn.Module):
        raise KeyedValueError(
            f'{{teacher}}: {kind.__name__} is an nn.Module too, so its weights would be in the '
            "student's checkpoints. Derive it from BaseTeacher alone, with the module as an "
            'attribute.',
            'teacher',
        )
    lacking = [
        name
        for name in ('prepare', 'start', 'dry_run', 'logits', 'cost', 'fingerprint', 'apply')
        if not callable(getattr(teacher, name, None))
    ]
    if kind.forward is BaseTeacher.forward and kind.start is BaseTeacher.start:
        lacking.append('forward')
    if lacking:
        raise KeyedValueError(
            f'{{teacher}}: {kind.__name__} has no method {listed(lacking)}, wanted '
            'forward(images, data_samples).',
            'teacher',
        )
    return teacher


def check_names(teacher: BaseTeacher, outputs: Mapping[str, Any], names: Sequence[str]) -> None:
    """Check that a teacher returned every tensor that is needed.

    Raises:
        ValueError: If one is missing; the message lists what was returned and what is needed.
    """
    missing = [name for name in names if name not in outputs]
    if missing:
        raise KeyedValueError(
            f'{{teacher}}: {type(teacher).__name__} lacks {", ".join(map(repr, missing))}; '
            f'it returned {", ".join(map(repr, outputs)) or "nothing"}.',
            'teacher',
        )
