"""Compare predicted features with a target: relative error, R2 over the mean token, cosine."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...models.losses.error_sums import error_sums, relative_errors

# Relative energy about the mean that float64 sums may leave of identical rows.
ROUNDING = 1e-13
SCALARS = 4  # the cosines, and the scalars of `error_sums`, which precede the sum of targets


class RelativeError:
    """Accumulates how far a student's features are from the teacher's.

    For rows s of the student and t of the teacher, with m the mean of all t::

        rel_error   sum |s - t|^2 / sum |t|^2
        mean_token  sum |m - t|^2 / sum |t|^2     the error of predicting m for every row
        r2          1 - sum |s - t|^2 / sum |m - t|^2
        cosine      mean of cos(s, t)

    ``r2`` is 1 for a perfect student, 0 for one that is no better than the constant m, and
    negative for a worse one. Only C + 4 float64 sums are kept, on the device of the features:
    ``update`` does not synchronise.
    """

    def __init__(self) -> None:
        self._sums = torch.zeros(0, dtype=torch.float64)

    def update(self, student: Tensor, teacher: Tensor) -> None:
        """Add rows that belong together.

        Args:
            student: (..., C).
            teacher: (..., C), of the same shape.

        Raises:
            ValueError: If the shapes differ, or C differs from that of earlier rows.
        """
        if student.shape != teacher.shape:
            raise ValueError(
                f'student and teacher: found {tuple(student.shape)} and '
                f'{tuple(teacher.shape)}, wanted the same shape.'
            )
        s, t = (x.detach().flatten(0, -2).double() for x in (student, teacher))
        cosines = F.cosine_similarity(s, t, dim=1).sum().reshape(1)
        self.add_sums(torch.cat([cosines, error_sums(s[None], t[None])]))

    @property
    def sums(self) -> Tensor:
        """The sums so far, (4 + C,) float64; those of several processes can be added up."""
        return self._sums

    def add_sums(self, sums: Tensor) -> None:
        """Add the ``sums`` of another one.

        Raises:
            ValueError: If C differs.
        """
        if not len(self._sums):
            self._sums = torch.zeros_like(sums)
        if sums.shape != self._sums.shape:
            raise ValueError(
                f'features: found {len(sums) - SCALARS} channels after '
                f'{len(self._sums) - SCALARS}, wanted as many throughout.'
            )
        self._sums = self._sums + sums

    def result(self) -> dict[str, float]:
        """Return 'rel_error', 'mean_token', 'r2' and 'cosine' of the rows so far.

        Raises:
            ValueError: If there are no rows, a feature was not finite, or all rows of the
                teacher are the same, so that there is nothing to explain.
        """
        if not len(self._sums):
            raise ValueError('nothing measured: found no features.')
        sums = self._sums.cpu()
        if not sums.isfinite().all():
            raise ValueError('features: some are NaN or infinite.')
        cosine, _, energy, count = sums[:SCALARS].tolist()
        if not count:
            raise ValueError('nothing measured: found no features.')
        errors = {key: x.item() for key, x in relative_errors(sums[1:])._asdict().items()}
        if not energy or errors['mean_token'] <= ROUNDING:
            raise ValueError(
                f'teacher: all {count:.0f} rows are the same; relative error and R2 need '
                'features that differ.'
            )
        return {**errors, 'cosine': cosine / count}
