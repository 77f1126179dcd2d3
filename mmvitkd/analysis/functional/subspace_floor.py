"""Floor of a shared projector: the least rotation it leaves to the directions of images."""

from typing import Any

import torch
from torch import Tensor

from ...models.losses.subspace_overlap import directions_of


class SubspaceFloor:
    """The least :class:`~mmvitkd.models.losses.SubspaceLoss` behind a projector, for any width.

    With V_i (D x d) the leading right singular vectors of image i of the teacher, and tokens of
    the student that span no more than w dimensions of the teacher's space, the same w for all
    images, no student of any kind has a mean overlap above that of the best w-dimensional space
    Q: ``mean ||Q^T V_i||^2 = tr(Q^T A Q)`` with ``A = mean V_i V_i^T``, so

        loss >= 1 - sum_{k <= w} lambda_k(A) / d.

    A linear map of w channels spans w dimensions, one with a bias w + 1; see
    :attr:`~mmvitkd.models.connectors.ProjectorConnector.max_rank`. It is a bound for the
    images that are measured. Of few images it is low, as fewer directions hold theirs.

    Args:
        d: Dimension of the subspaces.

    Raises:
        ValueError: If ``d`` is below 1.

    Example:
        >>> import torch
        >>> from mmvitkd.analysis import SubspaceFloor
        >>> floor = SubspaceFloor(d=2)
        >>> floor.update(torch.eye(6)[:4].view(2, 2, 6))  # two images, in 2 directions each
        >>> [round(x, 2) for x in floor.result()['floor']]
        [1.0, 0.75, 0.5, 0.25, 0.0, 0.0, 0.0]
    """

    def __init__(self, d: int) -> None:
        if d < 1:
            raise ValueError(f'd={d!r}: wanted 1 or more directions.')
        self.d, self.num_images = d, 0
        self._sum = torch.zeros(0, 0, dtype=torch.float64)

    def update(self, features: Tensor) -> None:
        """Add the patch tokens of B images, (B, N, D).

        Raises:
            ValueError: If d is more than min(N, D), or D differs from that of earlier images.
        """
        most = min(features.shape[1:])
        if self.d > most:
            raise ValueError(
                f'd={self.d} is more than {most}, the most directions that '
                f'{features.shape[1]} tokens of {features.shape[2]} channels can have.'
            )
        self.add(directions_of(features.double()).right)

    def add(self, directions: Tensor) -> None:
        """Add the right singular vectors of B images, (B, D, d or more).

        Raises:
            ValueError: If D differs from that of earlier images.
        """
        rows = directions[..., : self.d].transpose(0, 1).flatten(1)
        if not self.num_images:
            self._sum = self._sum.new_zeros(len(rows), len(rows))
        if len(rows) != len(self._sum):
            raise ValueError(
                f'features: found {len(rows)} channels, wanted {len(self._sum)} as before.'
            )
        self._sum += (rows @ rows.mT).cpu()
        self.num_images += len(directions)

    def merge(self, other: 'SubspaceFloor') -> None:
        """Add the images that another process has added to its own."""
        if other.num_images:
            self._sum = other._sum + self._sum if self.num_images else other._sum.clone()
            self.num_images += other.num_images

    def result(self) -> dict[str, Any]:
        """Return the result for the images so far.

        Returns:
            'd'; 'num_images'; and 'floor', that of 0, 1, ... D dimensions.

        Raises:
            ValueError: If there are no images.
        """
        if not self.num_images:
            raise ValueError('nothing measured: a floor needs 1 image or more.')
        shares = torch.linalg.eigvalsh(self._sum).flip(0).clamp_min(0)
        held = shares.cumsum(0) / (self.num_images * self.d)
        floor = [1.0, *(1 - held).clamp_min(0).tolist()]
        return {'d': self.d, 'num_images': self.num_images, 'floor': floor}
