"""Subspace rotation: measure principal angles between the subspaces of images' tokens."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from .pair_sampling import draw_pairs
from .principal_components import PCABasis
from .subspaces import angle_summary, cosines_between, top_subspaces


class SubspaceRotation:
    """How far the subspaces that hold images' energy are rotated against each other.

    arXiv 2511.15572 claims that every image lies in few dimensions and that these differ
    from image to image, and infers it from the gap between the per-image SVD and the dataset
    PCA. This measures it directly: the cosines of the principal angles between two subspaces
    are the singular values of ``U_i^T U_j``, where U is D x d.

    Uncentred, the first direction is largely the dataset's mean token, which all images
    share; a centred basis subtracts it from the images too.

    Args:
        num_images: Size of the whole set: pairs are drawn from it beforehand, so that they do
            not depend on batches.
        basis: From ``SecondMoment``: images are also compared with its first d directions.
        d: Dimension of the subspaces. About 10 dimensions hold 80 % of an image's energy in
            the published models (1 to 41); 10 fits in the 49 tokens of Swin's last stage, and
            is small next to any width, so that random subspaces overlap little.
        num_pairs: Number of pairs of images.
        seed: Seed of the draw.

    Raises:
        ValueError: If there are fewer than 2 images, or d or num_pairs is below 1.
    """

    def __init__(
        self,
        num_images: int,
        basis: PCABasis | None = None,
        d: int = 10,
        num_pairs: int = 500,
        seed: int = 2026,
    ) -> None:
        if num_images < 2:
            raise ValueError(f'num_images={num_images}: a pair needs 2 images or more.')
        if d < 1 or num_pairs < 1:
            raise ValueError(f'd={d}, num_pairs={num_pairs}: wanted 1 or more of each.')
        self.num_images, self.basis, self.d, self.seed = num_images, basis, d, seed
        self._pairs = draw_pairs(num_images, num_pairs, seed)
        self._awaited = set(self._pairs)
        self._bases: dict[int, Tensor] = {}  # (D, d), of images in awaited pairs
        self._between: dict[tuple[int, int], Tensor] = {}  # cosines of a pair, (d,)
        self._to_dataset: dict[int, Tensor] = {}  # cosines of an image, (d,)
        self._seen: set[int] = set()
        self._left_out = 0
        self._width = 0

    def update(self, features: Tensor, indices: Sequence[int]) -> None:
        """Add the patch tokens of B images.

        Args:
            features: (B, N, D).
            indices: The positions of the images in the whole set, from 0.

        Raises:
            ValueError: If d is more than min(N, D), D differs from that of earlier images, or
                an index is out of range or was added before.
        """
        self._check_batch(features, indices)
        self._width = features.shape[-1]
        self._seen.update(indices)
        paired = {index for pair in self._awaited for index in pair}
        rows = [r for r, i in enumerate(indices) if self.basis is not None or i in paired]
        if not rows:
            return
        features = features[rows]
        tokens = features.double() if self.basis is None else self.basis.tokens(features)
        bases, full = top_subspaces(tokens, self.d)
        images = [indices[row] for row, whole in zip(rows, full.tolist(), strict=True) if whole]
        self._left_out += len(rows) - len(images)
        bases = bases[full]
        if self.basis is not None and images:
            shared = self.basis.vectors[:, : self.d].to(bases.device)
            cosines = cosines_between(bases, shared.expand_as(bases))
            self._to_dataset.update(zip(images, cosines, strict=True))
        # Cloned, or an awaited basis would keep all bases of its batch in memory.
        self._bases.update(
            (image, basis.clone()) for image, basis in zip(images, bases.cpu(), strict=True)
        )
        self._measure_pairs()

    def result(self) -> dict[str, Any]:
        """Return the result for the images so far.

        Returns:
            'd', 'seed', 'centered'; 'num_pairs' that were measured; 'left_out', how many
            images have fewer than d directions; 'null', the overlap expected of random
            subspaces, d / D; 'pairs', the ``angle_summary`` of pairs of images; and, if there
            is a basis, 'dataset', that of each image against it.

        Raises:
            ValueError: If no pair is complete.
        """
        if not self._between:
            raise ValueError(
                f'nothing measured: of {len(self._pairs)} pairs, none has both its images '
                f'({self._left_out} images have fewer than d={self.d} directions).'
            )
        result = {
            'd': self.d,
            'seed': self.seed,
            'centered': self.basis is not None and self.basis.centered,
            'num_pairs': len(self._between),
            'left_out': self._left_out,
            'null': self.d / self._width,
            'pairs': angle_summary(_stacked(self._between)),
        }
        if self.basis is not None:
            result['dataset'] = angle_summary(_stacked(self._to_dataset))
        return result

    def _measure_pairs(self) -> None:
        """Compare the complete pairs, and free bases that no pair needs any more."""
        ready = sorted(pair for pair in self._awaited if self._bases.keys() >= set(pair))
        if ready:
            first, second = (
                torch.stack([self._bases[index] for index in side])
                for side in zip(*ready, strict=True)
            )
            self._between.update(zip(ready, cosines_between(first, second), strict=True))
        self._awaited.difference_update(ready)
        awaited = {index for pair in self._awaited for index in pair}
        self._bases = {i: basis for i, basis in self._bases.items() if i in awaited}

    def _check_batch(self, features: Tensor, indices: Sequence[int]) -> None:
        batch, num_tokens, width = features.shape
        if len(indices) != batch or len(set(indices)) != batch:
            raise ValueError(f'indices: found {list(indices)}, wanted {batch} different ones.')
        self._check_indices(indices)
        if self.d > min(num_tokens, width):
            raise ValueError(
                f'd={self.d} is more than {min(num_tokens, width)}, the most dimensions that '
                f'{num_tokens} tokens of {width} channels can have.'
            )
        self._check_width(width)

    def _check_indices(self, indices: Iterable[int]) -> None:
        for index in indices:
            if index in self._seen:
                raise ValueError(f'indices: image {index} was measured before.')
            if not 0 <= index < self.num_images:
                raise ValueError(
                    f'indices: found {index}, wanted 0 to {self.num_images - 1} '
                    f'(num_images={self.num_images}).'
                )

    def _check_width(self, width: int) -> None:
        wanted = self._width or (width if self.basis is None else len(self.basis.eigvals))
        if width != wanted:
            raise ValueError(f'features: found {width} channels, wanted {wanted}.')


def _stacked(cosines: Mapping[Any, Tensor]) -> Tensor:
    """Stack cosines in the order of the images, not of their arrival."""
    return torch.stack([cosines[key] for key in sorted(cosines)])
