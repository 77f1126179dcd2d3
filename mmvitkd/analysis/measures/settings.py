"""Define the settings of an analysis."""

from dataclasses import dataclass

from ...utils.bytesize import parse_size


@dataclass(frozen=True)
class Settings:
    """The measures and how they are computed; the defaults are as published.

    Attributes:
        measures: Their names, from ``select_measures``.
        seed: Seed of pairs of images, channel orders and the null.
        centered: Whether to subtract the dataset's mean token before PCA and rotation.
        held_out: Whether PCA is fitted to every second image and evaluated on the others. As
            published, all images are used for both.
        device: The device of the model and the measures.
        amp: Whether the model runs under autocast to bfloat16; the measures never do.
        memory_limit: Bytes to use in addition to a bare forward pass.
        spill: Folder for features that do not fit; None runs another forward pass instead.
    """

    measures: tuple[str, ...] = ()
    seed: int = 2026
    centered: bool = False
    held_out: bool = False
    device: str = 'cpu'
    amp: bool = False
    memory_limit: int = parse_size('2GiB')
    spill: str | None = None
