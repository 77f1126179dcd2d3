"""The passes over the images: features into measures, within the memory limit."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

from ...datasets.image_batches import ImageBatch
from ..features.extractor import FeatureExtractor, Key
from .feature_cache import FeatureBatch, KeptFeatures, kept_features
from .feature_writer import FeatureFiles
from .first_looks import FirstLooks, named_result
from .forward import Forward, split_batches, split_features
from .gradient_look import GradientLook
from .memory_plan import Plan, Shape, plan_memory
from .settings import Settings

# Hands on what it is given, and shows how far that is.
Watch = Callable[[Iterable[Any], str], Iterable[Any]]


class Measured(NamedTuple):
    """What the passes came to.

    Attributes:
        blocks: The entries of the report, by the keys of the features.
        indices: The places in their list of the images that were read.
        forward_passes: How often each image went through the model.
        kept: Where features waited for the second look.
    """

    blocks: dict[Key, dict[str, Any]]
    indices: list[int]
    forward_passes: int
    kept: str


class Passes:
    """Takes the measures of all blocks of a source.

    What takes features as they come is fed in the first pass. What needs the whole set first
    is fed afterwards, from features that were kept or in a second forward pass.

    Args:
        source: The model, on the device of the settings, and its blocks.
        batches: Of the images; iterated over twice, they must give the same.
        paths: The images' names, for messages.
        settings: The measures and the limit.
        batch_size: Of ``batches``, at most.
        num_classes: Of the images' labels, if they have any.
        watch: Wraps the batches of each pass, with a name for it.
        save: Files that the features are written to as well.
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
        save: FeatureFiles | None = None,
    ) -> None:
        self._forward = Forward(source, paths, settings)
        self._batches, self._paths, self._settings = batches, paths, settings
        self._batch_size, self._num_classes = batch_size, num_classes
        self._watch, self._save = watch, save
        self._indices: list[int] = []

    def run(self) -> Measured:
        """Read the images and measure; once.

        Raises:
            ValueError: If fewer than 2 images can be read (4 if half are held out), a feature
                is not finite, a measure has no value, or the limit is too low.
        """
        batches = iter(self._batches)
        first = next(batches, None)
        if first is None:
            raise ValueError(f'none of the {len(self._paths)} images can be read.')
        shapes = self._shapes(first)
        plan = plan_memory(shapes, len(self._paths), self._batch_size, self._settings)
        looks = FirstLooks(shapes, self._settings)
        passes = 1
        with kept_features(plan.kept, self._settings.spill) as kept:
            gradients = self._first_pass(chain([first], batches), plan, looks, kept)
            self._check_count()
            blocks = looks.result()
            if gradients is not None:
                passes += 1
                for key, found in gradients.result().items():
                    blocks[key]['gradient_magnitude'] = found
            if self._settings.second_pass:
                passes += kept is None
                for key, found in self._second_pass(plan, looks, kept).items():
                    blocks[key] |= found
        names = self._forward.source.names
        blocks = {key: {'module': names[key], **entry} for key, entry in blocks.items()}
        return Measured(blocks, self._indices, passes, plan.kept)

    def _shapes(self, batch: ImageBatch) -> dict[Key, Shape]:
        """The features of an image."""
        image = next(split_batches([batch], 1))
        features = self._forward.features(image).features
        return {key: Shape.of(tokens) for key, tokens in features.items()}

    def _first_pass(
        self,
        batches: Iterable[ImageBatch],
        plan: Plan,
        looks: FirstLooks,
        kept: KeptFeatures | None,
    ) -> GradientLook | None:
        """Feed what takes features as they come, and keep what has to wait."""
        gradients = None
        if 'gradient' in self._settings.measures:
            gradients = GradientLook(self._forward, self._num_classes, plan.gradients)
        takers = [taker.put for taker in (kept, self._save) if taker is not None]
        for batch in self._watch(split_batches(batches, plan.forward), 'first pass'):
            self._feed(self._forward.features(batch), plan, looks, takers)
            if gradients is not None:
                gradients.update(batch)
        return gradients

    def _feed(
        self,
        batch: FeatureBatch,
        plan: Plan,
        looks: FirstLooks,
        takers: Sequence[Callable[[FeatureBatch], None]],
    ) -> None:
        for take in takers:
            take(batch)
        for part in split_features(batch, plan.part):
            start = len(self._indices)
            self._indices += part.indices.tolist()
            looks.update(part.features, range(start, len(self._indices)))

    def _second_pass(
        self, plan: Plan, looks: FirstLooks, kept: KeptFeatures | None
    ) -> dict[Key, dict[str, Any]]:
        """Feed what had to see all images first."""
        seconds = looks.second_looks(len(self._indices))
        batches: Iterable[FeatureBatch] = kept if kept is not None else self._again(plan)
        start = 0
        for batch in self._watch(batches, 'second pass'):
            self._check_same(batch, start)
            for part in split_features(batch, plan.part):
                places = range(start, start + len(part.indices))
                start = places.stop
                for key, tokens in part.features.items():
                    seconds[key].update(self._forward.on_device(tokens), places)
        return {key: named_result(key, look) for key, look in seconds.items()}

    def _again(self, plan: Plan) -> Iterator[FeatureBatch]:
        """The features in another forward pass."""
        for batch in split_batches(self._batches, plan.forward):
            yield self._forward.features(batch)

    def _check_same(self, batch: FeatureBatch, start: int) -> None:
        """Raise ValueError if these are not the images that were there in the first pass."""
        found = batch.indices.tolist()
        wanted = self._indices[start : start + len(found)]
        if found != wanted:
            index = min({*found} ^ {*wanted})
            raise ValueError(
                f'{self._paths[index]}: this image could be read in one pass and not in the '
                'other; was the folder changed?'
            )

    def _check_count(self) -> None:
        """Raise ValueError if there are too few images."""
        found = len(self._indices)
        of_all = f'of {len(self._paths)} images {found} can be read; wanted'
        if found < 2:
            raise ValueError(f'{of_all} 2 or more.')
        if found < 4 and self._settings.held_out and self._settings.basis:
            raise ValueError(f'held_out: {of_all} 4 or more, 2 to fit PCA to and 2 to judge.')
