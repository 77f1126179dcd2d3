"""Say on a model card how close compact files are to the student."""

from collections.abc import Mapping

from ..utils.tables import markdown_table
from .fidelity import Fidelity

HEADER = ('file', 'size', 'largest difference', 'error', 'same class, %', 'top-1, %', 'ms')
ABOUT = (
    'On real images, those of the calibration left out. Error: the mean squared difference of '
    "the outputs, as a share of the trained student's variance over the images. Time: the "
    'median for one image, on the machine that exported, each file in turn.'
)


def fidelity_text(fidelity: Mapping[str, Fidelity]) -> list[str]:
    """Return the section of a model card; nothing without files."""
    if not fidelity:
        return []
    rows = [
        [
            f'`{name}`',
            f'{found.num_bytes / 1e6:.2f} MB',
            f'{found.difference:.2g}',
            f'{found.error:.2g}',
            _percent(found.agreement),
            _percent(found.top1),
            f'{found.milliseconds:.3g}',
        ]
        for name, found in fidelity.items()
    ]
    return ['## How close the files are', markdown_table(list(HEADER), rows), ABOUT]


def _percent(value: float | None) -> str:
    return '' if value is None else f'{value:.1f}'
