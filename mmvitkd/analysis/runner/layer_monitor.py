"""Measure a student's layers repeatedly during training, on the same images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from ..features.distilled_layers import DistilledLayers
from ..features.extractor import Key
from ..measures.base import BLOCKS, Entry, Measure
from ..measures.block import Block
from ..measures.checks import named_errors
from ..measures.settings import Settings
from .evaluation import Evaluation
from .memory import has_second_pass


@dataclass(frozen=True)
class LayerReport:
    """The results for one layer.

    Attributes:
        measures: The measures.
        student: The entry of the student's layer, as in ``report.json``.
        teacher: The same for the teacher's layer, if there is one.
    """

    measures: Sequence[type[Measure]]
    student: dict[str, Any]
    teacher: dict[str, Any] | None

    def scalars(self) -> dict[str, float]:
        """Return the student's numbers by name."""
        return self._numbers('scalars', self.student)

    def references(self) -> dict[str, float]:
        """Return numbers to compare them with: the teacher's, and constants such as nulls."""
        teacher = self._numbers('scalars', self.teacher or {})
        constants = self._numbers('constants', self.student)
        return {**{f'teacher_{key}': value for key, value in teacher.items()}, **constants}

    def _numbers(self, kind: str, entry: Entry) -> dict[str, float]:
        found = {}
        for measure in self.measures:
            if {*measure.entries} <= entry.keys():
                for name, number in getattr(measure, kind).items():
                    with named_errors(f'measure {measure.name!r}: {kind}[{name!r}]'):
                        found[name] = number(entry)
        return found


class LayerMonitor:
    """Measures layers of a model that is trained, on a fixed sample of images.

    The teacher runs only once, in the first measurement. Its patch tokens, which measures that
    compare layers need every time, are kept on the CPU: images x N x D x 4 bytes per layer,
    77 MB for 256 images of CaiT-S24.

    Args:
        model: The model that is trained, with its ``data_preprocessor``.
        loader: Batches of the images, the same in each iteration.
        measures: The measures; those that compare several blocks compare the student's layer
            with the teacher's.
        layers: See ``DistilledLayers``.

    Raises:
        ValueError: If a layer does not exist, or does not return patch tokens.
    """

    def __init__(
        self,
        model: Any,
        loader: DataLoader,
        measures: Sequence[type[Measure]],
        layers: str | Sequence[int | str] | None = None,
    ) -> None:
        self._model, self._loader, self._measures = model, loader, measures
        self._own = [measure for measure in measures if measure.needs != BLOCKS]
        self._joint = [measure for measure in measures if measure.needs == BLOCKS]
        first = model.data_preprocessor(loader.collate_fn([loader.dataset[0]]), False)
        self.layers = DistilledLayers(model, first['inputs'], layers)
        self._teacher: dict[Key, dict[str, Any]] = {}
        self._teacher_tokens: list[dict[str, Tensor]] | None = None  # batch by batch

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def measure(self) -> dict[str, LayerReport]:
        """Measure the layers.

        Returns:
            The results by the names of the layers.

        Raises:
            ValueError: If features are not finite, or a measure has no value; names the layer.
        """
        kept = [] if self._teacher_tokens is None else self._teacher_tokens
        count = len(self._loader.dataset)
        student, teacher = (
            _LayerEvaluation(s, self._own, count) for s in ('student', 'teacher')
        )
        pairs: dict[str, _LayerEvaluation] = {}
        for index, batch in enumerate(self._loader):
            data = self._model.data_preprocessor(batch, False)
            images = data['inputs']
            if self._teacher_tokens is None:
                tokens = self.layers.teacher_tokens(images, data.get('data_samples'))
                teacher.update(tokens)
                compared = tokens.items() if self._joint else ()
                kept.append({name: features.cpu() for name, features in compared})
            tokens = self.layers.student_tokens(images)
            student.update(tokens)
            for name, other in kept[index].items():
                pair = pairs.setdefault(name, _LayerEvaluation(name, self._joint, count))
                own = tokens[name]
                pair.update({'student': own, 'teacher': other.to(own.device)})
        if self._teacher_tokens is None:
            self._teacher = teacher.result()
            self._teacher_tokens = kept
        entries = student.result()
        for name, pair in pairs.items():
            entries[name] |= pair.result()['student']
        return {
            str(name): LayerReport(self._measures, entry, self._teacher.get(name))
            for name, entry in entries.items()
        }


class _LayerEvaluation:
    """An evaluation that is built from the first features, and counts the images itself.

    Args:
        where: What is evaluated, for error messages.
        measures: The measures.
        num_images: Number of images.
    """

    def __init__(self, where: str, measures: Sequence[type[Measure]], num_images: int) -> None:
        self._where, self._measures, self._num_images = where, measures, num_images
        self._evaluation: Evaluation | None = None
        self._kept: list[dict[str, Tensor]] = []  # for the second pass, on the CPU
        self._count = 0
        self._device = torch.device('cpu')

    def update(self, tokens: Mapping[str, Tensor]) -> None:
        """Add the patch tokens (B, N, D) of images at all layers.

        Raises:
            ValueError: If they are not finite; names the layer.
        """
        for name, features in tokens.items():
            self._device = features.device
            if not features.isfinite().all():
                raise ValueError(f'{self._where}, {name}: features: some are NaN or infinite.')
        if not tokens:
            return
        if self._evaluation is None:
            settings = Settings(measures=tuple(measure.name for measure in self._measures))
            blocks = Block.all_of(tokens, self._num_images, settings)
            self._evaluation = Evaluation(blocks, self._measures)
        places = range(self._count, self._count + len(next(iter(tokens.values()))))
        self._count = places.stop
        self._evaluation.first_pass(tokens, places)
        if has_second_pass(self._measures):
            self._kept.append({name: features.cpu() for name, features in tokens.items()})

    def result(self) -> dict[Key, dict[str, Any]]:
        """Return the entries of the layers.

        Raises:
            ValueError: If a measure has no value; names the layer and the measure.
        """
        if self._evaluation is None:
            return {}
        try:
            if self._kept:
                self._second_pass(self._evaluation)
            return self._evaluation.result()
        except ValueError as error:
            raise ValueError(f'{self._where}: {error}') from error

    def _second_pass(self, evaluation: Evaluation) -> None:
        evaluation.start_second_pass(self._count)
        start = 0
        for tokens in self._kept:
            places = range(start, start + len(next(iter(tokens.values()))))
            start = places.stop
            on_device = {name: features.to(self._device) for name, features in tokens.items()}
            evaluation.second_pass(on_device, places)
