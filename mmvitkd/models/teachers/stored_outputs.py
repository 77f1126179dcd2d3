"""Turn a batch of a teacher's outputs into rows of bytes for a cache, and back."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...cache.row_layout import RowLayout
from ...utils.errors import KeyedValueError, listed
from .cache_folder import KEY
from .cache_options import STORAGE, CacheOptions
from .stored_tensor import StoredTensor, TeacherRead


class StoredOutputs:
    """What is stored of each of a teacher's outputs, and what the losses read of it.

    Args:
        folder: The folder of the cache, for messages.
        options: How outputs are stored.
        tensors: What is stored, as the cache's header says; None for a new cache.
    """

    def __init__(
        self, folder: Path, options: CacheOptions, tensors: Mapping[str, Any] | None = None
    ) -> None:
        self._folder, self._options = folder, options
        self._reads: Mapping[str, TeacherRead] = {}
        self._is_new = tensors is None
        self._stored = _from_json(tensors or {})
        self._layout = _layout_of(self._stored)

    def plan(
        self,
        reads: Mapping[str, TeacherRead],
        outputs: Mapping[str, Any],
        num_classes: int | None,
    ) -> None:
        """Decide what is stored, or check that what is stored is what is read.

        Args:
            reads: What the losses read of each output.
            outputs: An example of the outputs.
            num_classes: The number of the teacher's classes.

        Raises:
            ValueError: If an output cannot be stored, or another part of it is stored.
        """
        self._reads = reads
        if not self._is_new:
            self._check_reads()
            return
        for name, read in reads.items():
            try:
                self._stored[name] = StoredTensor.choose(
                    read, outputs[name], self._options, num_classes
                )
            except KeyedValueError:
                raise
            except ValueError as error:
                raise KeyedValueError(f'{{{KEY}}}: {name!r}: {error}.', KEY) from error
        self._layout = _layout_of(self._stored)

    def take(self, tensors: Mapping[str, Any]) -> None:
        """Take what is stored from the header of a cache, as if it had been there before.

        Raises:
            ValueError: If the losses read something else.
        """
        self._is_new, self._stored = False, _from_json(tensors)
        self._layout = _layout_of(self._stored)
        self._check_reads()

    def check_names(self, names: Mapping[str, Any]) -> None:
        """Check that all that is read is stored.

        Raises:
            ValueError: If something is not; names it.
        """
        if missing := names.keys() - self._stored.keys():
            lacking, known = (listed(sorted(map(repr, x))) for x in (missing, self._stored))
            raise KeyedValueError(
                f'{{{KEY}}}: {self._folder} has no {lacking}, which this training reads; it '
                f'has {known}. Use another folder.',
                KEY,
            )

    @property
    def row_bytes(self) -> int:
        """The bytes of an image's outputs."""
        return self._layout.row_bytes

    @property
    def unread(self) -> set[str]:
        """The names of what is stored and not read."""
        return self._stored.keys() - self._reads.keys()

    @property
    def logits_name(self) -> str | None:
        """The name of the logits, if they are read."""
        names = (name for name in self._reads if self._stored[name].is_logits)
        return next(names, None)

    def encode(self, outputs: Mapping[str, Any]) -> Tensor:
        """Return a batch's outputs as rows of bytes (B, row_bytes), on the CPU.

        Raises:
            ValueError: If an output has another shape than those that are stored.
        """
        tensors: dict[str, Tensor] = {}
        for name, read in self._reads.items():
            stored = self._stored[name]
            tensors[name] = tensor = stored.reduce(read, outputs[name])
            if tensor.shape[1:] != stored.codec.shape:
                raise KeyedValueError(
                    f'{{{KEY}}}: {name!r} is {tuple(tensor.shape[1:])} for these images, and '
                    f'{stored.codec.shape} in the cache; wanted one image size.',
                    KEY,
                )
        for name in self.unread:  # of another student; such rows are not stored
            tensors[name] = tensor.new_zeros(len(tensor), *self._stored[name].codec.shape)
        with torch.no_grad():
            return self._layout.encode(tensors)

    def decode(
        self, buffer: Tensor, device: torch.device, names: Iterable[str] | None = None
    ) -> dict[str, Any]:
        """Return rows of bytes (B, row_bytes) as what the losses read, on a device.

        Args:
            buffer: The rows.
            device: The device.
            names: The outputs that are decoded; None for all that are read.
        """
        if device.type == 'cuda':
            buffer = buffer.pin_memory().to(device, non_blocking=True)
        with torch.no_grad():
            decoded = self._layout.unpack(buffer, self._reads if names is None else names)
        return {name: self._stored[name].restore(each) for name, each in decoded.items()}

    def blank(self, images: Tensor) -> dict[str, Any]:
        """Return zeros in the shape of the outputs of images (B, 3, H, W)."""
        return {
            name: stored.restore(images.new_zeros(len(images), *stored.codec.shape))
            for name, stored in self._stored.items()
        }

    def to_dict(self) -> dict[str, Any]:
        """Return what is stored, as JSON."""
        return {name: stored.to_dict() for name, stored in self._stored.items()}

    def _check_reads(self) -> None:
        self.check_names(self._reads)
        for name, read in self._reads.items():
            if reason := self._stored[name].refusal_reason(read, self._options):
                raise KeyedValueError(
                    f'{{{KEY}}}: {self._folder}, {name!r}: {reason}.',
                    KEY,
                    *(f'{KEY}.{option}' for option in ('full_features', *STORAGE)),
                )


def _from_json(tensors: Mapping[str, Any]) -> dict[str, StoredTensor]:
    return {name: StoredTensor.from_dict(content) for name, content in tensors.items()}


def _layout_of(stored: Mapping[str, StoredTensor]) -> RowLayout:
    return RowLayout({name: tensor.codec for name, tensor in stored.items()})
