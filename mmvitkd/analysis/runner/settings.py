"""What a report is made with, beside the model and the images."""

from dataclasses import dataclass

from ...utils.bytesize import parse_size
from .measures import needed


@dataclass(frozen=True)
class Settings:
    """The measures and how they are taken; the defaults are as published.

    Attributes:
        measures: Their names, as ``chosen_measures`` gives them.
        seed: Of pairs of images, of channel orders and of the null.
        centered: Whether the dataset's mean token is taken off before PCA and rotation.
        held_out: Whether the directions of PCA are those of every second image, and the
            others are judged by them. As published, all images are judged by all.
        device: Where the model and the measures run.
        amp: Whether the model runs under autocast to bfloat16; the measures never do.
        memory_limit: Bytes that may be taken beside what a bare forward pass takes.
        spill: A folder for features that do not fit; None takes another forward pass.
    """

    measures: tuple[str, ...]
    seed: int = 2026
    centered: bool = False
    held_out: bool = False
    device: str = 'cpu'
    amp: bool = False
    memory_limit: int = parse_size('2GiB')
    spill: str | None = None

    @property
    def second_pass(self) -> bool:
        """Whether a measure has to see all images before it judges any."""
        return needed(self.measures, 'basis') or needed(self.measures, 'range')

    @property
    def basis(self) -> bool:
        """Whether a measure needs the directions of all images."""
        return needed(self.measures, 'basis')

    def fits_basis(self, place: int) -> bool:
        """Whether the basis is fitted to an image, by its place among those that were read."""
        return not self.held_out or place % 2 == 0

    def judged_by_basis(self, place: int) -> bool:
        """Whether an image is judged by the basis."""
        return not self.held_out or place % 2 == 1
