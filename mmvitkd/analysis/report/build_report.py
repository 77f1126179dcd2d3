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
        measured: What the measures found.
        images: The list of images.
        unreadable: Those that could not be read.
        first_per_class: Whether they are only the first of each class.
        settings: Of the measures.
        about: Of the model: 'model', 'checkpoint', ...
        options: Further settings.

    Returns:
        Ready for JSON. 'num_tokens' and 'embed_dims' are those of the last block.
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
