"""The teacher of a distillation: images in, named tensors out."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from mmrazor.models.task_modules import RecorderManager
from torch import Tensor, nn

from ..utils.compilation import check_recorders_compile, compile_blocks
from ..utils.distiller_checks import check_sources
from ..utils.input_size import input_size_of
from .cuda_stream import CudaStream
from .early_stop import Stop, find_stop, recorded_modules, stop_after
from .normalization import Renormalize
from .options import check_options
from .precision import autocast_to, in_float32


class Teacher:
    """A frozen model, outside the student's module tree, whose tensors are recorded.

    This is no ``nn.Module``, so that a model that holds one as an attribute has no teacher
    weight in its ``state_dict``, DDP sync, EMA, optimizer or checkpoint. It stays in eval
    mode and never computes a loss; ``copy.deepcopy`` shares it.

    ``FeatureDistill`` uses :meth:`__call__` and :meth:`apply`, and :meth:`start` where there
    is one, so anything with these can take its place, such as a cached teacher.

    Args:
        model: The model, loaded, as :func:`build_teacher` returns it.
        recorders: MMRazor's recorders, by name. Each hands over the first output of its
            source in a forward pass.
        data_preprocessor: What normalised the images: the student's preprocessor. Where
            the teacher's mean, std or channel order differ, images are re-normalised.
        stop_early: Whether the forward pass ends where all that is recorded is there. The
            first one is whole and finds out where that is: the same place for all images,
            as in all models of timm and MMPretrain. The tensors are the same to the bit.
            Where a function or a method is recorded, or the model is compiled as a whole,
            every forward pass is whole.
        precision: 'bf16' runs the model alone under bfloat16 autocast, 'fp32' under none,
            and what it hands over is float32; None leaves it to the autocast around it.
        compile: Whether the model's blocks are compiled, see
            :func:`~mmvitkd.models.utils.compilation.compile_blocks`.
        own_stream: Whether the work of :meth:`start` is queued on a CUDA stream of its own.
            Nothing changes without CUDA.

    Attributes:
        input_size: (H, W) that images are resized to, or None where any will do.

    Raises:
        ValueError: If a recorder's source is not part of the model, an option is of the
            wrong type, or ``compile`` meets a recorder of a function or method.
    """

    def __init__(
        self,
        model: nn.Module,
        recorders: RecorderManager,
        data_preprocessor: nn.Module | None = None,
        *,
        stop_early: bool = True,
        precision: str | None = None,
        compile: bool = False,
        own_stream: bool = False,
    ) -> None:
        check_options(
            dict(
                stop_early=stop_early,
                precision=precision,
                compile=compile,
                own_stream=own_stream,
            )
        )
        model.eval()
        model.requires_grad_(False)
        for module in model.modules():
            if hasattr(module, 'inplace'):
                module.inplace = False  # it would overwrite what is recorded before it
        self.model = model
        self.renormalize = Renormalize.between(data_preprocessor, model)
        self.input_size = input_size_of(model)
        check_sources(recorders, model, 'teacher_recorders', 'teacher')
        recorders.initialize(model)
        self.recorders = recorders
        recorded = recorded_modules(recorders)
        self._compiled: list[str] = []
        if compile:
            key = 'teacher_options.compile'
            check_recorders_compile(recorders.recorders, 'teacher_recorders', key)
            self._compiled = compile_blocks(model, recorded or ())
        self._stop: Stop | None = None
        self._unexplored = recorded if stop_early else None
        self._precision = precision
        self._stream = CudaStream(own_stream)

    def __call__(self, images: Tensor) -> dict[str, Any]:
        """Run the teacher on a batch.

        Args:
            images: (B, 3, H, W), normalised as the student's.

        Returns:
            What each recorder saw: a tensor, or a tuple of them where the recorded module
            returns one.
        """
        return self.start(images)()

    @torch.no_grad()
    def start(self, images: Tensor) -> Callable[[], dict[str, Any]]:
        """Run the teacher on a batch, on its own stream if it has one.

        Returns:
            What hands over the outputs of :meth:`__call__`: to be called where they are
            needed, on the stream that needs them.
        """
        try:
            with self._stream.beside(images):
                with self.recorders:
                    self._forward(images)
                outputs = {
                    name: self._handed_over(recorder.get_record_data())
                    for name, recorder in self.recorders.recorders.items()
                }
        finally:
            for recorder in self.recorders.recorders.values():
                recorder.reset_data_buffer()
        return partial(self._stream.join, outputs)

    @torch.no_grad()
    def logits(self, images: Tensor) -> Any:
        """What the model as a whole returns: (B, K) from a classifier.

        Not compiled: it is for a single look at a data set, whose batches may be of another
        size than those of a training.

        Args:
            images: (B, 3, H, W), normalised as the student's; resized here where the
                teacher was made for another size.
        """
        with torch.compiler.set_stance('force_eager'):
            return self._handed_over(self._run(images))

    def apply(self, function: Callable[[Tensor], Tensor]) -> None:
        """Apply to every parameter and buffer what ``nn.Module.to`` applies to a model's."""
        self.model._apply(function)
        self.renormalize._apply(function)

    def _forward(self, images: Tensor) -> None:
        """Run the model as far as needed; the first time to its end, to see how far that is."""
        if self._unexplored is None:
            with stop_after(self._stop):
                self._run(images)
            return
        with torch.compiler.set_stance('force_eager'):
            run = partial(self._run, images)
            self._stop = find_stop(self.model, self._unexplored, self._compiled, run)
        self._unexplored = None

    def _run(self, images: Tensor) -> Any:
        """The model's forward pass, with images as it wants them."""
        images = self.renormalize(images)
        if self.input_size is not None and self.input_size != tuple(images.shape[2:]):
            images = F.interpolate(images, self.input_size, mode='bicubic', antialias=True)
        with autocast_to(self._precision, images.device):
            return self.model(images, mode='tensor')

    def _handed_over(self, output: Any) -> Any:
        """An output; in float32 where the precision is the teacher's own."""
        return output if self._precision is None else in_float32(output)

    def __deepcopy__(self, memo: dict) -> 'Teacher':
        return self
