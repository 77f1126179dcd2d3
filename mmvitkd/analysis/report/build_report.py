"""Build the content of report.json."""

from dataclasses import asdict
from typing import Any

from ...datasets.image_list import ImageList
from ...utils.collect_env import hardware, versions
from ..measures.settings import Settings
from ..runner.measure_runner import Measured


def build_report(
    measured: Measured,
    images: ImageList,
    unreadable: list[str],
    first_per_class: bool,
    settings: Settings,
    about: dict[str, Any],
    options: dict[str, Any],
) -> dict[str, Any]:
    """Build a report.

    Args:
        measured: The results of the measures.
        images: The list of images.
        unreadable: Paths of images that could not be read.
        first_per_class: Whether the list has only the first image of each class.
        settings: The settings of the measures.
        about: Facts about the model: 'model', 'checkpoint', ...
        options: Further settings.

    Returns:
        The report, ready for JSON. 'num_tokens' and 'embed_dims' are the last block's.
    """
    last = list(measured.blocks.values())[-1]
    return {
        **about,
        'num_images': len(measured.indices),
        'num_tokens': last['num_tokens'],
        'embed_dims': last['embed_dims'],
        'settings': {**options, **asdict(settings), 'measures': [*settings.measures]},
        'versions': versions(),
        'hardware': hardware(),
        'images': {
            'folder': images.folder,
            'found': len(images),
            'first_per_class': first_per_class,
            'num_classes': None if images.classes is None else len(images.classes),
            'unreadable': unreadable,
        },
        'forward_passes': measured.forward_passes,
        'kept_features': measured.kept,
        'blocks': {str(key): entry for key, entry in measured.blocks.items()},
    }
