"""Measure the floors of a teacher's layers, and those of a trained student's targets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from ..analysis.features.extractor import FeatureExtractor, Key
from ..analysis.features.loaded_model import LoadedModel
from ..analysis.functional.channel_spectrum import ChannelSpectrum
from ..analysis.functional.error_and_floor import ErrorAndFloor
from ..analysis.functional.width_floor import WidthFloor
from ..analysis.measures.settings import Settings
from ..analysis.runner.forward import ForwardPass
from ..analysis.runner.measure_runner import Watch
from ..datasets.image_batches import ImageBatches
from ..datasets.image_list import ImageList
from ..models.algorithms.compared_features import compared_features
from ..models.algorithms.layer_pairs import embedding_pairs
from ..models.utils.adapters import adapter_for
from ..utils.errors import KeyedValueError
from .load_distillation import LoadedDistillation

FINAL = 'final norm'


@dataclass
class MeasuredTeacher:
    """What was measured of a teacher.

    Attributes:
        layers: The results of ``WidthFloor`` by the index of the block, and 'final norm'.
        intensities: SpectralKD's frequency intensity, block by block.
        num_images: How many images were read.
        num_tokens: Patch tokens of an image.
        unreadable: The reason for each image that cannot be read, by its path.
    """

    layers: dict[str, dict[str, Any]]
    intensities: list[float]
    num_images: int
    num_tokens: int
    unreadable: dict[str, str] = field(default_factory=dict)

    @property
    def depth(self) -> int:
        """The number of blocks."""
        return len(self.intensities)

    @property
    def width(self) -> int:
        """The width of the features."""
        return len(next(iter(self.layers.values()))['raw']['in_sample']) - 1


@dataclass
class MeasuredStudent:
    """What was measured of a trained student.

    Attributes:
        layers: The results of ``ErrorAndFloor`` by the names of the losses, without embeddings.
        num_images: How many images were read.
        unreadable: The reason for each image that cannot be read, by its path.
    """

    layers: dict[str, dict[str, float | int | bool]]
    num_images: int
    unreadable: dict[str, str]


def teacher_width(model: nn.Module) -> int:
    """Return the width of a ViT.

    Raises:
        ValueError: If it is a CNN or a staged model, or its blocks are not known.
    """
    adapter = adapter_for(model)
    widths = set(adapter.widths)
    if adapter.num_extra_tokens is None or len(widths) != 1:
        found = ', '.join(map(str, adapter.widths)) or 'unknown'
        kind = type(adapter.trunk or model).__name__
        raise KeyedValueError(
            f'{{model}}: found a {kind}, whose blocks or stages have the widths {found}; '
            'wanted a ViT, all of whose blocks have the same width and tokens.',
            'model',
        )
    return widths.pop()


def measure_teacher(
    loaded: LoadedModel,
    images: ImageList,
    pool_widths: Sequence[int],
    *,
    device: str = 'cpu',
    batch_size: int = 32,
    num_workers: int = 0,
    watch: Watch = lambda batches, name: batches,
) -> MeasuredTeacher:
    """Measure all blocks of a teacher, and its tokens after the final norm.

    Args:
        loaded: The teacher, a ViT.
        images: The images.
        pool_widths: Widths of students whose pooled target is measured.
        device: Where it runs.
        batch_size: Images per batch.
        num_workers: Processes that read images.
        watch: Wraps the batches, with a name for them.

    Raises:
        ValueError: If no image can be read, half of the images have no more tokens than there
            are channels, a feature is not finite, or all tokens of a layer are the same.
    """
    batches = ImageBatches(images, loaded.preprocess, batch_size, num_workers)
    source = _source(loaded.model)
    forward = ForwardPass(source, images.paths, Settings(device=device))
    loaded.model.to(device)
    floors = {key: WidthFloor() for key in source.names}
    spectra = {key: ChannelSpectrum() for key in source.names if isinstance(key, int)}
    num_images = num_tokens = 0
    for batch in watch(batches, 'teacher'):
        features = forward.features(batch).features
        for key, tokens in features.items():
            floors[key].update(tokens)
            num_tokens = tokens.shape[1]
            if key in spectra:
                spectra[key].update(tokens)
        num_images += len(batch.indices)
    if not num_images:
        raise ValueError(f'none of the {len(images)} images of {images.folder!r} can be read.')
    _check_count(floors.values(), num_images, num_tokens)
    return MeasuredTeacher(
        {_name(key): _result(floor, pool_widths, key) for key, floor in floors.items()},
        [spectrum.result()['frequency_intensity'] for spectrum in spectra.values()],
        num_images,
        num_tokens,
        dict(batches.unreadable),
    )


def measure_trained(
    loaded: LoadedDistillation,
    images: ImageList,
    *,
    device: str = 'cpu',
    batch_size: int = 32,
    num_workers: int = 0,
    watch: Watch = lambda batches, name: batches,
) -> MeasuredStudent:
    """Compare a trained student with the floor of what its losses compare, on the same images.

    Args:
        loaded: The distillation.
        images: The images.
        device: Where it runs.
        batch_size: Images per batch.
        num_workers: Processes that read images.
        watch: Wraps the batches, with a name for them.

    Raises:
        ValueError: If no image can be read, or the checkpoint lacks the connectors.
    """
    if not loaded.has_connectors:
        raise KeyedValueError(
            '{trained}: the checkpoint has a student alone; wanted one of the distillation, '
            'with its projector.',
            'trained',
        )
    model = loaded.model.to(device)
    batches = ImageBatches(images, loaded.student.preprocess, batch_size, num_workers)
    embeddings = embedding_pairs(model.distiller)
    widths = adapter_for(model.student).widths
    found: dict[str, ErrorAndFloor] = {}
    num_images = 0
    for batch in watch(batches, 'student'):
        for name, rows in compared_features(model, batch.images.to(device)).items():
            if name not in embeddings:
                found.setdefault(name, ErrorAndFloor(widths)).update(*rows)
        num_images += len(batch.indices)
    if not found:
        raise ValueError(
            f'{images.folder!r}: no image can be read, or no loss compares tokens.'
        )
    layers = {name: each.result() for name, each in found.items()}
    return MeasuredStudent(layers, num_images, dict(batches.unreadable))


def _source(model: nn.Module) -> FeatureExtractor:
    """Return an extractor of all blocks, and of the final norm if there is one."""
    adapter = adapter_for(model)
    last = adapter.features.get('tokens')
    names: list[Key] = list(range(len(adapter.blocks)))
    if last is not None and last.source not in adapter.blocks:
        names.append(last.source)
    return FeatureExtractor(model, names)


def _check_count(floors: Iterable[WidthFloor], num_images: int, num_tokens: int) -> None:
    needed = max(floor.images_needed for floor in floors)
    if needed:
        raise KeyedValueError(
            f'{{num_images}}: found {num_images} images of {num_tokens} tokens; the floor on '
            'other images needs more tokens than channels in each half of them: wanted '
            f'{needed} images or more.',
            'num_images',
        )


def _name(key: Key) -> str:
    return str(key) if isinstance(key, int) else FINAL


def _result(floor: WidthFloor, pool_widths: Sequence[int], key: Key) -> dict[str, Any]:
    try:
        return floor.result(pool_widths)
    except ValueError as error:
        raise ValueError(f'teacher, layer {_name(key)}: {error}') from error
