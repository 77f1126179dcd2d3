"""Describe the views of a data set: which images a cache has the teacher's outputs of."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

View = tuple[int, int, int]  # (index, view, repeat)
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class ViewSet:
    """The views that a training asks for; each has a row in a cache.

    Attributes:
        num_images: N, the images of the data set.
        views: M, how many views an image has.
        repeats: R, how often an image is repeated in an epoch.
        seed: The seed that the views are drawn from.
        data: What else decides their pixels, as JSON: the pipeline, the preprocessor.
        versions: The versions of the packages that can change them.
        files: Lists the images with their sizes; called only where it is needed.
        checksums: Computes the SHA-256 of the pixels of some views.
        planned: Yields (view, repeat, indices) of the views that this training asks for.
    """

    num_images: int
    views: int
    repeats: int
    seed: int
    data: dict[str, Any]
    versions: dict[str, str]
    files: Callable[[], list[tuple[str, int]]]
    checksums: Callable[[Sequence[View]], list[str]]
    planned: Callable[[], Iterable[tuple[int, int, Rows]]]

    @property
    def num_rows(self) -> int:
        """The number of all rows."""
        return self.views * self.repeats * self.num_images

    def row(self, view: View) -> int:
        """Return the row of a view."""
        index, number, repeat = view
        return (number * self.repeats + repeat) * self.num_images + index

    def view(self, row: int) -> View:
        """Return the view of a row."""
        plane, index = divmod(row, self.num_images)
        number, repeat = divmod(plane, self.repeats)
        return index, number, repeat

    def planned_rows(self) -> Iterator[Rows]:
        """Yield the rows that this training asks for, in parts."""
        for number, repeat, indices in self.planned():
            yield indices + self.row((0, number, repeat))
