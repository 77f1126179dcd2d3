"""Measure a student's error next to the floor of its width, on the same target."""

from collections.abc import Sequence

from torch import Tensor

from .relative_error import RelativeError
from .width_floor import WidthFloor, width_floor


class ErrorAndFloor:
    """Accumulates the relative error of patch tokens, and the floor that their width sets.

    Args:
        widths: The widths of the student's blocks, from the first to the last; none, if they
            are not known, leave out the floor.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        self._widths = tuple(widths)
        self._error, self._floor = RelativeError(), WidthFloor()

    def update(self, student: Tensor, teacher: Tensor) -> None:
        """Add the tokens of B images as a loss compares them, (B, N, C) each."""
        self._error.update(student, teacher)
        self._floor.update(teacher)

    def result(self) -> dict[str, float | int | bool]:
        """Return what ``RelativeError`` does, and the floor.

        Returns:
            With it, 'floor': the least relative error behind a linear map, at the width of the
            student's first block; 'width', that width; 'is_bound', whether the student cannot
            go below it. One whose last blocks are wider can.

        Raises:
            ValueError: As ``RelativeError`` does.
        """
        found = self._error.result()
        if not self._widths:
            return dict(found)
        width = self._widths[0]
        curve = width_floor(self._floor.whole)
        floor = float(curve[min(width, len(curve) - 1)])
        is_bound = len(set(self._widths)) == 1
        return {**found, 'floor': floor, 'width': width, 'is_bound': is_bound}
