"""Measures a student's layers again and again, on the same images, beside the teacher's."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from ..features.distilled_layers import DistilledLayers
from ..functional.cka import LinearCKA
from ..functional.sep import MODES
from ..functional.sep_null import null_sep
from .layer_measures import LayerMeasures, bandwidth_scalars, layer_scalars


@dataclass(frozen=True)
class LayerReport:
    """What was found of one layer.

    Attributes:
        student: What ``LayerMeasures`` gives.
        teacher: The same of the teacher's layer, if there is one.
        null: SEP of random Gaussian vectors of the student's width, by mode.
        cka: What ``LinearCKA`` gives of the two layers, if there are two.
    """

    student: dict[str, Any]
    teacher: dict[str, Any] | None
    null: dict[str, Any]
    cka: dict[str, Any] | None

    def scalars(self) -> dict[str, float]:
        """The student's by the names of ``layer_scalars``, CKA and its null."""
        found = layer_scalars(self.student)
        if self.cka is not None:
            found.update(cka=self.cka['cka'], cka_null=self.cka['null'][0][1])
        return found

    def references(self) -> dict[str, float]:
        """What to read these against: the teacher's scalars, and the null's bandwidths."""
        teacher = layer_scalars(self.teacher) if self.teacher else {}
        found = {f'teacher_{key}': value for key, value in teacher.items()}
        null = bandwidth_scalars(self.null)
        return {**found, **{f'null_{key}': value for key, value in null.items()}}

    def curves(self) -> dict[str, dict[str, list[float]]]:
        """The SEP curves of 'student', 'teacher' and 'null', by mode."""
        teacher = {'teacher': self.teacher['sep']} if self.teacher else {}
        found = {'student': self.student['sep'], **teacher, 'null': self.null}
        return {
            name: {mode: sep[mode]['curve'] for mode in MODES} for name, sep in found.items()
        }


class LayerMonitor:
    """The watched layers of a model on a fixed sample of images.

    The teacher is run once, the first time. Its patch tokens, which CKA needs every time,
    are kept on the CPU: images x N x D x 4 bytes a layer, 77 MB for 256 images of CaiT-S24.

    Args:
        model: The model that is trained, with its ``data_preprocessor``.
        loader: Batches of the images, the same in each iteration.
        layers: As of ``DistilledLayers``.

    Raises:
        ValueError: As ``DistilledLayers`` does.
    """

    def __init__(
        self, model: Any, loader: DataLoader, layers: str | Sequence[int | str] | None = None
    ) -> None:
        self._model = model
        self._loader = loader
        first = loader.collate_fn([loader.dataset[0]])
        self.layers = DistilledLayers(model, self._images(first), layers)
        self._teacher: dict[str, dict[str, Any]] = {}
        self._kept: list[dict[str, Tensor]] = []  # the teacher's tokens, batch by batch

    @torch.no_grad()
    def measure(self) -> dict[str, LayerReport]:
        """What is found now, by the names of the layers.

        Raises:
            ValueError: Names the layer whose features are not finite, or cannot be measured.
        """
        students: dict[str, LayerMeasures] = defaultdict(LayerMeasures)
        teachers: dict[str, LayerMeasures] = defaultdict(LayerMeasures)
        ckas: dict[str, LinearCKA] = {}
        widths: dict[str, int] = {}
        kept = []
        for index, batch in enumerate(self._loader):
            images = self._images(batch)
            if not self._kept:
                kept.append(self._run_teacher(images, teachers))
            references = self._kept[index] if self._kept else kept[index]
            for name, features in self.layers.student_tokens(images).items():
                widths[name] = features.shape[2]
                with _naming(f'{name}, student'):
                    students[name].update(features)
                if name in references:
                    cka = ckas.setdefault(name, _cka_of(features, references[name]))
                    cka.update(features, references[name].to(features.device))
        if not self._kept:
            self._teacher, self._kept = _results(teachers, 'teacher'), kept
        alike = _results(ckas, 'CKA')
        return {
            name: LayerReport(
                student=found,
                teacher=self._teacher.get(name),
                null={mode: null_sep(widths[name], mode) for mode in MODES},
                cka=alike.get(name),
            )
            for name, found in _results(students, 'student').items()
        }

    def _run_teacher(
        self, images: Tensor, measures: dict[str, LayerMeasures]
    ) -> dict[str, Tensor]:
        """The teacher's tokens of a batch, measured, on the CPU."""
        tokens = self.layers.teacher_tokens(images)
        for name, features in tokens.items():
            with _naming(f'{name}, teacher'):
                measures[name].update(features)
        return {name: features.cpu() for name, features in tokens.items()}

    def _images(self, batch: Any) -> Tensor:
        """The images of a batch as the student takes them."""
        return self._model.data_preprocessor(batch, False)['inputs']


def _cka_of(student: Tensor, teacher: Tensor) -> LinearCKA:
    """CKA of tokens, or of each image's mean token where the grids differ."""
    return LinearCKA('tokens' if student.shape[1] == teacher.shape[1] else 'images')


def _results(
    measures: Mapping[str, LayerMeasures | LinearCKA], side: str
) -> dict[str, dict[str, Any]]:
    """The results of the layers' measures; an error names the layer."""
    results = {}
    for name, measure in measures.items():
        with _naming(f'{name}, {side}'):
            results[name] = measure.result()
    return results


@contextmanager
def _naming(what: str) -> Iterator[None]:
    """Say in an error of a measure what was measured."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f'{what}: {error}') from error
