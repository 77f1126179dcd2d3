"""Evaluate a student's features without its head: against a teacher's, and by their classes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ...datasets.image_batches import ImageBatch
from ...models.losses.align_features import fit_to
from ...models.utils.features import Features
from ..features.image_features import ImageFeatureReader, ImageFeatures
from ..functional.error_and_floor import ErrorAndFloor
from ..functional.linear_cka import LinearCKA
from ..functional.linear_probe import fit_linear_probe
from ..functional.relative_error import RelativeError
from ..functional.ridge_readout import RidgeReadout
from ..functional.weighted_knn import weighted_knn
from .measure_runner import Watch

STUDENT, TEACHER = 'student', 'teacher'
EMBEDDING = 'embedding'
# The names of the passes.
TRAIN, HELD_OUT = 'training images', 'held-out images'
# What the losses of a distillation compare: (student, teacher) rows by the names of the pairs.
Compare = Callable[[Tensor], dict[str, tuple[Tensor, Tensor]]]


@dataclass(frozen=True)
class Evaluated:
    """The models of an evaluation.

    Attributes:
        student: Reads the student's layers.
        teacher: Reads the teacher's layers of the same names; None without a teacher.
        teacher_inputs: Turns images that are normalised for the student into the teacher's.
        compare: What the losses compare, where the student comes from a distillation with its
            connectors; None compares the layers as they are, if their widths agree.
        widths: The widths of the student's blocks, for the floor of what the losses compare.
    """

    student: ImageFeatureReader
    teacher: ImageFeatureReader | None = None
    teacher_inputs: Callable[[Tensor], Tensor] = lambda images: images
    compare: Compare | None = None
    widths: Sequence[int] = ()


@dataclass
class FeatureScores:
    """The results.

    Attributes:
        compared: Student against teacher, by the name of the layer, and 'embedding'.
        classified: Top-1 in percent of 'knn' and 'probe', by 'student' and 'teacher'; next to
            them 'majority', that of always naming the most frequent class of training.
        left_out: Why a number is missing, by its name.
        num_train: Training images that were read.
        num_images: Held-out images that were read.
    """

    compared: dict[str, dict[str, Any]] = field(default_factory=dict)
    classified: dict[str, dict[str, float]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    num_train: int = 0
    num_images: int = 0


class FeatureEvaluation:
    """Fits on training images, and evaluates on held-out ones.

    The features are not kept, but sums over them; of images with labels, the embeddings, on the
    CPU: 4 C bytes for each image and model.

    Args:
        models: The models, on their device.
        device: That device.
        classes: The names of the classes; None, or fewer than two, leaves out k-NN and probe.
        k: Neighbours of the k-NN.
        temperature: Its temperature.
    """

    def __init__(
        self,
        models: Evaluated,
        device: str = 'cpu',
        classes: tuple[str, ...] | None = None,
        k: int = 20,
        temperature: float = 0.07,
    ) -> None:
        self._models, self._device = models, device
        self._classes, self._k, self._temperature = classes, k, temperature
        self._pairs: dict[str, _Pair] = {}
        self._errors: dict[str, RelativeError | ErrorAndFloor] = {}
        self._kept: dict[str, dict[str, list[Tensor]]] = {'train': {}, 'held-out': {}}

    def run(
        self,
        train: Iterable[ImageBatch],
        held_out: Iterable[ImageBatch],
        watch: Watch = lambda batches, name: batches,
    ) -> FeatureScores:
        """Read all images once.

        Raises:
            ValueError: If no held-out image can be read, or a feature is not finite.
        """
        scores = FeatureScores()
        self._forbid_classes(scores)
        for batch in watch(train, TRAIN):
            scores.num_train += len(batch.indices)
            self._read(batch, 'train')
        for batch in watch(held_out, HELD_OUT):
            scores.num_images += len(batch.indices)
            self._read(batch, 'held-out')
            if self._models.compare is not None:
                images = batch.images.to(self._device)
                for name, rows in self._models.compare(images).items():
                    self._errors.setdefault(name, self._new_error(name)).update(*rows)
        if not scores.num_images:
            raise ValueError('none of the held-out images can be read.')
        self._compare(scores)
        self._classify(scores)
        return scores

    def _read(self, batch: ImageBatch, split: str) -> None:
        images = batch.images.to(self._device)
        student = _finite(self._models.student(images), STUDENT)
        teacher = None
        if self._models.teacher is not None:
            inputs = self._models.teacher_inputs(images)
            teacher = _finite(self._models.teacher(inputs), TEACHER)
            sides = {name: (f, teacher.layers[name]) for name, f in student.layers.items()}
            sides[EMBEDDING] = _as_tokens(student.embedding), _as_tokens(teacher.embedding)
            for name, (own, other) in sides.items():
                pair = self._pairs.setdefault(name, _Pair())
                pair.fit(own, other) if split == 'train' else pair.test(own, other)
        if self._has_classes and batch.labels is not None:
            kept = self._kept[split]
            kept.setdefault('labels', []).append(batch.labels)
            for name, features in ((STUDENT, student), (TEACHER, teacher)):
                if features is not None:
                    kept.setdefault(name, []).append(features.embedding.float().cpu())

    def _new_error(self, name: str) -> RelativeError | ErrorAndFloor:
        return RelativeError() if name == EMBEDDING else ErrorAndFloor(self._models.widths)

    @property
    def _has_classes(self) -> bool:
        return self._classes is not None and len(self._classes) > 1

    def _forbid_classes(self, scores: FeatureScores) -> None:
        if not self._has_classes:
            reason = 'the images are in no class folders'
            if self._classes is not None:
                reason = f'the images have {len(self._classes)} class, wanted two or more'
            scores.left_out |= {'knn': reason, 'probe': reason}

    def _compare(self, scores: FeatureScores) -> None:
        """Fill ``compared`` with what each pair and each loss has."""
        for name, pair in self._pairs.items():
            entry = scores.compared.setdefault(name, {})
            parts: dict[str, Callable[[], dict[str, Any]]] = pair.results()
            if name in self._errors:
                parts['error'] = self._errors[name].result
            for part, result in parts.items():
                _fill(entry, scores.left_out, f'{name}.{part}', result)
        for name in self._errors.keys() - self._pairs.keys():
            entry = scores.compared.setdefault(name, {})
            _fill(entry, scores.left_out, f'{name}.error', self._errors[name].result)

    def _classify(self, scores: FeatureScores) -> None:
        """Fill ``classified``."""
        train, held_out = (
            {name: torch.cat(parts) for name, parts in kept.items()}
            for kept in self._kept.values()
        )
        if not train or not held_out:
            if self._has_classes:
                reason = 'no labelled training image could be read'
                scores.left_out |= {'knn': reason, 'probe': reason}
            return
        for name in (STUDENT, TEACHER):
            if name in train:
                entry = scores.classified.setdefault(name, {})
                given = (train[name], train['labels'], held_out[name], held_out['labels'])
                entry['majority'] = _majority(train['labels'], held_out['labels'])
                on_device = [tensor.to(self._device) for tensor in given]
                for part, compute in (('knn', self._knn), ('probe', self._probe)):
                    computed = partial(compute, *on_device)
                    _fill(entry, scores.left_out, f'{name}.{part}', computed)

    def _knn(
        self, bank: Tensor, labels: Tensor, queries: Tensor, wanted: Tensor
    ) -> dict[str, float]:
        assert self._classes is not None
        votes = weighted_knn(
            bank, labels, queries, len(self._classes), self._k, self._temperature
        )
        return {'knn': _top1(votes, wanted)}

    def _probe(
        self, bank: Tensor, labels: Tensor, queries: Tensor, wanted: Tensor
    ) -> dict[str, float]:
        assert self._classes is not None
        probe = fit_linear_probe(bank, labels, len(self._classes))
        return {'probe': _top1(probe(queries), wanted), 'probe_penalty': probe.penalty}


class _Pair:
    """What is measured between one layer of the student and one of the teacher."""

    def __init__(self) -> None:
        self._readout, self._cka, self._error = RidgeReadout(), LinearCKA(), RelativeError()
        self._widths = (0, 0)

    def fit(self, student: Features, teacher: Features) -> None:
        """Add training images."""
        student = fit_to(student, teacher.grid, student.tokens.shape[2])
        self._readout.fit(student.tokens, teacher.tokens)

    def test(self, student: Features, teacher: Features) -> None:
        """Add held-out images; the student's tokens are interpolated to the teacher's grid."""
        student = fit_to(student, teacher.grid, student.tokens.shape[2])
        self._readout.test(student.tokens, teacher.tokens)
        self._cka.update(student.tokens, teacher.tokens)
        self._widths = student.tokens.shape[2], teacher.tokens.shape[2]
        if self._widths[0] == self._widths[1]:
            self._error.update(student.tokens, teacher.tokens)

    def results(self) -> dict[str, Callable[[], dict[str, Any]]]:
        """Return what computes the parts of the result; each may raise ValueError."""
        return dict(error=self._errors, cka=self._similarity, readout=self._explained)

    def _errors(self) -> dict[str, float]:
        if self._widths[0] != self._widths[1]:
            raise ValueError(
                f'the student is {self._widths[0]} wide, the teacher {self._widths[1]}, and no '
                'projector of a distillation is between them'
            )
        return self._error.result()

    def _similarity(self) -> dict[str, float]:
        found = self._cka.result()
        return {'cka': found['cka'], 'cka_null': found['null'][0][1]}

    def _explained(self) -> dict[str, float]:
        found = self._readout.result()
        return {'readout_r2': found['r2'], 'readout_ridge': found['ridge']}


def _fill(
    entry: dict[str, Any],
    left_out: dict[str, str],
    name: str,
    compute: Callable[[], dict[str, Any]],
) -> None:
    """Add a result to an entry, or the reason why there is none to ``left_out``."""
    try:
        entry |= compute()
    except ValueError as error:
        left_out[name] = str(error)


def _finite(features: ImageFeatures, model: str) -> ImageFeatures:
    named = {EMBEDDING: features.embedding} | {k: f.tokens for k, f in features.layers.items()}
    for name, values in named.items():
        if not values.isfinite().all():
            raise ValueError(f'{model}, {name}: features: some are NaN or infinite.')
    return features


def _as_tokens(embedding: Tensor) -> Features:
    return Features(embedding[:, None], (1, 1))


def _majority(labels: Tensor, wanted: Tensor) -> float:
    """Return the top-1 in percent of always naming the most frequent class."""
    return 100 * float((wanted == labels.mode().values).double().mean())


def _top1(scores: Tensor, labels: Tensor) -> float:
    return 100 * float((scores.argmax(1) == labels).double().mean())
