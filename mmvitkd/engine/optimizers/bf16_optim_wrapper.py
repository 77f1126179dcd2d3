"""Train under bfloat16 autocast; without CUDA in float32, unless told otherwise."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from ...registry import OPTIM_WRAPPERS
from ..logging.async_history_buffer import AsyncHistoryBuffer


@OPTIM_WRAPPERS.register_module()
class BF16OptimWrapper(OptimWrapper):  # type: ignore[misc]  # MMEngine is untyped
    """An ``OptimWrapper`` whose forward pass runs under bfloat16 autocast.

    bfloat16 has float32's range and needs no gradient scaler; MMEngine's ``AmpOptimWrapper``
    builds one anyway, and refuses to run without a GPU. Logging the norm of clipped gradients
    does not synchronise with the device.

    Args:
        cpu: Whether to do so without CUDA, too. Off by default: only some CPUs are faster in
            bfloat16, and many are much slower.
        kwargs: Arguments of ``OptimWrapper``.
    """

    clip_func: Callable[..., Any]

    def __init__(self, cpu: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.device = 'cuda' if torch.cuda.is_available() else 'cpu'
        self.enabled = cpu or self.device == 'cuda'
        if self.clip_grad_kwargs:
            self._clip = self.clip_func
            self.clip_func = self._clip_without_sync
        if not self.enabled:
            processes = get_world_size()
            where = f'{processes} processes on gloo' if processes > 1 else 'the CPU'
            print_log(
                f'No CUDA: training in float32 instead of bfloat16, with {where}.',
                logger='current',
            )

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Return the context of a forward pass."""
        with (
            super().optim_context(model),
            torch.autocast(self.device, torch.bfloat16, enabled=self.enabled),
        ):
            yield

    def _clip_without_sync(self, params: list[Tensor], **kwargs: Any) -> Tensor | None:
        """Clip; defer logging the norm if its buffer can, else MMEngine logs it."""
        norm = self._clip(params, **kwargs)
        buffer = self.message_hub.log_scalars.get(f'train/{self.grad_name}')
        if norm is None or not isinstance(buffer, AsyncHistoryBuffer):
            return norm
        buffer.defer_tensor(norm)
        return None
