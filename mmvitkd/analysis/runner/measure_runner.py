"""Run measures over images, within a memory limit."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

from ...datasets.image_batches import ImageBatch
from ...utils.errors import KeyedValueError
from ..features.extractor import FeatureExtractor, Key
from ..measures.base import GRADIENTS
from ..measures.block import Block
from ..measures.selection import measure_named
from ..measures.settings import Settings
from .evaluation import Evaluation
from .feature_cache import FeatureBatch, FeatureCache, feature_cache
from .feature_writer import FeatureWriter
from .forward import ForwardPass, split_features, split_images
from .gradient_pass import GradientPass
from .memory import Plan, has_second_pass, plan_memory

# Yields the batches that it is given, and shows their progress.
Watch = Callable[[Iterable[Any], str], Iterable[Any]]


class Measured(NamedTuple):
    """The results of measures.

    Attributes:
        blocks: The entries of the report, by the keys of the features.
        indices: The positions in the list of the images that were read.
        forward_passes: The number of times that each image went through the model.
        kept: Where features were kept for the second pass.
    """

    blocks: dict[Key, dict[str, Any]]
    indices: list[int]
    forward_passes: int
    kept: str


class MeasureRunner:
    """Measures all blocks of a model on images.

    Measures that need all features first get a second pass, over features that were kept or
    from another forward pass.

    Args:
        source: The model, on the device of the settings, and its blocks.
        batches: Batches of the images; each iteration must give the same ones.
        paths: The paths of the images, for error messages.
        settings: The measures and the memory limit.
        batch_size: The largest size of ``batches``.
        num_classes: Number of classes of the images' labels; None if they have none.
        watch: Wraps the batches of each pass, with the name of the pass.
        writer: Writes the features to files as well.
    """

    def __init__(
        self,
        source: FeatureExtractor,
        batches: Iterable[ImageBatch],
        paths: Sequence[str],
        settings: Settings,
        batch_size: int = 32,
        num_classes: int | None = None,
        watch: Watch = lambda batches, name: batches,
        writer: FeatureWriter | None = None,
    ) -> None:
        self._measures = [measure_named(name) for name in settings.measures]
        self._forward = ForwardPass(source, paths, settings)
        self._batches, self._paths, self._settings = batches, paths, settings
        self._batch_size, self._num_classes = batch_size, num_classes
        self._watch, self._writer = watch, writer
        self._indices: list[int] = []

    def run(self) -> Measured:
        """Read the images and measure; may be called only once.

        Raises:
            ValueError: If fewer images can be read than the measures need, a feature is not
                finite, a measure has no value, or the limit is too low.
        """
        batches = iter(self._batches)
        first = next(batches, None)
        if first is None:
            raise ValueError(f'none of the {len(self._paths)} images can be read.')
        image = next(split_images([first], 1))
        features = self._forward.features(image).features
        blocks = Block.all_of(features, len(self._paths), self._settings)
        del features
        plan = plan_memory(blocks, self._measures, self._batch_size)
        evaluation = Evaluation(blocks, self._measures)
        passes = 1 + any(measure.needs == GRADIENTS for measure in self._measures)
        with feature_cache(plan.kept, self._settings.spill) as cache:
            self._first_pass(chain([first], batches), plan, evaluation, cache)
            self._check_count()
            if has_second_pass(self._measures):
                passes += cache is None
                self._second_pass(plan, evaluation, cache)
        names = self._forward.source.names
        entries = {
            key: {'module': names[key], **entry} for key, entry in evaluation.result().items()
        }
        return Measured(entries, self._indices, passes, plan.kept)

    def _first_pass(
        self,
        batches: Iterable[ImageBatch],
        plan: Plan,
        evaluation: Evaluation,
        cache: FeatureCache | None,
    ) -> None:
        gradients = None
        if any(measure.needs == GRADIENTS for measure in self._measures):
            gradients = GradientPass(self._forward, self._num_classes, plan.gradient_bytes)
        for images in self._watch(split_images(batches, plan.forward_size), 'first pass'):
            batch = self._forward.features(images)
            for sink in (cache, self._writer):
                if sink is not None:
                    sink.put(batch)
            for part in split_features(batch, plan.update_size):
                start = len(self._indices)
                self._indices += part.indices.tolist()
                evaluation.first_pass(part.features, range(start, len(self._indices)))
            if gradients is not None:
                gradients.update(images, evaluation)

    def _second_pass(
        self, plan: Plan, evaluation: Evaluation, cache: FeatureCache | None
    ) -> None:
        evaluation.start_second_pass(len(self._indices))
        batches: Iterable[FeatureBatch] = self._recompute(plan) if cache is None else cache
        start = 0
        for batch in self._watch(batches, 'second pass'):
            self._check_same(batch, start)
            for part in split_features(batch, plan.update_size):
                places = range(start, start + len(part.indices))
                start = places.stop
                features = {k: self._forward.on_device(f) for k, f in part.features.items()}
                evaluation.second_pass(features, places)
        if start < len(self._indices):
            raise self._folder_changed(self._indices[start])

    def _recompute(self, plan: Plan) -> Iterator[FeatureBatch]:
        """Yield the features from another forward pass."""
        for batch in split_images(self._batches, plan.forward_size):
            yield self._forward.features(batch)

    def _check_same(self, batch: FeatureBatch, start: int) -> None:
        """Raise ValueError if these are not the images of the first pass."""
        found = batch.indices.tolist()
        wanted = self._indices[start : start + len(found)]
        if found != wanted:
            raise self._folder_changed(min({*found} ^ {*wanted}))

    def _folder_changed(self, index: int) -> ValueError:
        return ValueError(
            f'{self._paths[index]}: this image could be read in one pass and not in the other; '
            'was the folder changed?'
        )

    def _check_count(self) -> None:
        """Raise ValueError if there are too few images."""
        found = len(self._indices)
        for measure in self._measures:
            least = measure.min_images(self._settings)
            if found < least:
                message = (
                    f'of {len(self._paths)} images {found} can be read; wanted {least} or more '
                    f'for {measure.name}.'
                )
                if self._settings.held_out and least > 2:
                    raise KeyedValueError(f'{{held_out}}: {message}', 'held_out')
                raise ValueError(message)
