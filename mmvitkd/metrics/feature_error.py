"""Measure how far distilled features are from the teacher's, on validation images."""

from collections.abc import Sequence
from math import nan
from typing import Any

from mmengine.dist import all_gather_object, get_dist_info
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from torch import Tensor

from ..analysis.functional.relative_error import RelativeError
from ..models.algorithms.compared_features import compared_features
from ..registry import METRICS

NAMES = ('rel_error', 'mean_token', 'r2', 'cosine')


@METRICS.register_module()
class FeatureError(BaseMetric):  # type: ignore[misc]  # MMEngine is untyped
    """Relative error and R2 of what the losses of a ``FeatureDistill`` compare.

    For each pair of features, after its connectors and as its loss gets them,
    ``feature/pair_0/rel_error`` is the squared error over the teacher's energy,
    ``.../mean_token`` the same of a student that always predicts the teacher's mean token,
    ``.../r2`` is 1 - rel_error / mean_token and ``.../cosine`` the mean cosine; see
    :class:`~mmvitkd.analysis.RelativeError`. ``feature/rel_error`` and ``feature/r2`` are the
    means over the pairs. They are exact: sums over all validation images, of all processes.

    It needs no labels and no head. It runs the student and the teacher on each batch, in
    addition to the validation's own pass, and keeps C + 4 numbers for each pair. A teacher that
    is read from a cache is built for it. ``mmvitkd.Runner`` gives it the model. A model without
    a teacher, as in tools/test.py, is left out with a warning. The best checkpoint is kept by
    ``default_hooks.checkpoint.save_best='feature/r2'``.

    Args:
        prefix: See MMEngine's ``BaseMetric``; by default 'feature'.
    """

    default_prefix = 'feature'

    def __init__(self, prefix: str | None = None) -> None:
        super().__init__('cpu', prefix)
        self._model: Any = None
        self._clear()

    def bind(self, model: Any) -> None:
        """Set the model that is validated, a ``FeatureDistill``."""
        self._model = model

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Run both models on a batch, and add what they return.

        Raises:
            ValueError: If no model was set.
        """
        if self._model is None:
            raise ValueError(
                'FeatureError: it was given no model; train with mmvitkd.engine.runner.Runner, '
                'as tools/train.py does, or call bind(model).'
            )
        if getattr(self._model, 'teacher', None) is None:
            return
        data = self._model.data_preprocessor(data_batch, False)
        images = data['inputs']
        for name, rows in compared_features(self._model, images, data['data_samples']).items():
            whole = self._errors.setdefault(name, RelativeError())
            if name in self._last:
                whole.add_sums(self._last[name])
            student, teacher = rows
            if len(images) > 1:
                whole.update(student[:-1], teacher[:-1])
            last = RelativeError()
            last.update(student[-1:], teacher[-1:])
            self._last[name] = last.sums
        self._count += len(images)

    def evaluate(self, size: int) -> dict[str, float]:
        """Add up the sums of all processes, without the padding of the last batch.

        MMEngine gathers one result for each image; these are sums, from which the last image
        of a process is left out if it is a repetition: the samplers give image i to process
        ``i mod W``, and repeat at most one image in each.

        Args:
            size: The number of images of the data set.
        """
        rank, processes = get_dist_info()
        if (self._count - 1) * processes + rank < size:
            for name, sums in self._last.items():
                self._errors[name].add_sums(sums)
        own = {name: error.sums.cpu() for name, error in self._errors.items()}
        metrics = self.compute_metrics(all_gather_object(own))
        self._clear()
        return {f'{self.prefix}/{name}': value for name, value in metrics.items()}

    def compute_metrics(self, results: list[dict[str, Tensor]]) -> dict[str, float]:
        """Compute the metrics from the sums of each process, by the names of the pairs.

        A pair without a value, as its features are constant or not finite, is NaN, with a
        warning that says why.
        """
        logger = MMLogger.get_current_instance()
        pairs: dict[str, dict[str, float]] = {}
        for name in dict.fromkeys(name for sums in results for name in sums):
            error = RelativeError()
            for sums in results:
                if len(sums.get(name, ())):
                    error.add_sums(sums[name])
            try:
                pairs[name] = error.result()
            except ValueError as reason:
                logger.warning(f'{self.prefix}/{name}: no value: {reason}')
                pairs[name] = dict.fromkeys(NAMES, nan)
        if not pairs:
            logger.warning('FeatureError: nothing measured: the model compares no features.')
            return {}
        means = {
            key: sum(pair[key] for pair in pairs.values()) / len(pairs)
            for key in ('rel_error', 'r2')
        }
        each = {f'{name}/{key}': pair[key] for name, pair in pairs.items() for key in NAMES}
        return means | each

    def _clear(self) -> None:
        """Forget the images."""
        self._errors: dict[str, RelativeError] = {}
        self._last: dict[str, Tensor] = {}
        self._count = 0
