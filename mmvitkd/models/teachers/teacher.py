"""The live teacher: a frozen model that runs on every batch."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from mmrazor.models.task_modules import RecorderManager
from torch import Tensor, nn

from ...config.fast import RENAMED_OPTIONS
from ...utils.deprecation import renamed_arguments
from ..utils.adapters import adapter_for
from ..utils.compilation import check_recorders_compile, compile_blocks
from ..utils.cost import Cost, macs_of, num_parameters
from ..utils.distiller_checks import check_sources
from ..utils.normalization import Renormalize, normalization_by
from .base_teacher import BaseTeacher, Samples
from .cuda_stream import CudaStream
from .early_stop import Stop, find_stop, recorded_modules, stop_after
from .options import check_options
from .precision import autocast_to, in_float32
from .teacher_identity import weights_sha256


class Teacher(BaseTeacher):
    """A frozen model, outside the student's module tree, whose tensors are recorded.

    It stays in eval mode and never computes a loss.

    Args:
        model: The model, loaded, as :func:`build_teacher` returns it.
        recorders: MMRazor's recorders, by name. Each records the first output of its source
            in a forward pass. None leaves them to :meth:`prepare`.
        data_preprocessor: The student's preprocessor, which normalised the images. If the
            teacher's mean, std or channel order differ, images are re-normalised.
        stop_early: Whether a forward pass ends once everything that is recorded is computed.
            The first pass is complete and finds that point, which must be the same for all
            images, as in all models of timm and MMPretrain. The tensors are bitwise equal.
            If a function or a method is recorded, or the model is compiled as a whole, every
            pass is complete.
        precision: 'bf16' runs the model alone under bfloat16 autocast, 'fp32' without, and
            the tensors that it returns are float32; None keeps the surrounding autocast.
        compile: Whether the model's blocks are compiled, see
            :func:`~mmvitkd.models.utils.compilation.compile_blocks`.
        cuda_stream: Whether the work of :meth:`start` is queued on a CUDA stream of its own.
            Nothing changes without CUDA.

    Raises:
        ValueError: If a recorder's source is not part of the model, an option is of the
            wrong type, or ``compile`` meets a recorder of a function or method.
    """

    @renamed_arguments(**RENAMED_OPTIONS)
    def __init__(
        self,
        model: nn.Module,
        recorders: RecorderManager | None = None,
        data_preprocessor: nn.Module | None = None,
        *,
        stop_early: bool = True,
        precision: str | None = None,
        compile: bool = False,
        cuda_stream: bool = False,
    ) -> None:
        check_options(
            dict(
                stop_early=stop_early,
                precision=precision,
                compile=compile,
                cuda_stream=cuda_stream,
            )
        )
        model.eval()
        model.requires_grad_(False)
        for module in model.modules():
            if hasattr(module, 'inplace'):
                module.inplace = False  # it would overwrite recorded tensors
        self.model = model
        self.renormalize = Renormalize()
        self.recorders = RecorderManager()
        self._adapter = adapter = adapter_for(model)
        self.input_size, self.normalization = adapter.input_size, adapter.normalization
        self.blocks, self.widths, self.grids = adapter.blocks, adapter.widths, adapter.grids
        self.num_extra_tokens = adapter.num_extra_tokens
        self.num_classes, self.features = adapter.num_classes, adapter.features
        self._compile, self._compiled = compile, list[str]()
        self._stop_early = stop_early
        self._stop: Stop | None = None
        self._recorded: set[str] | None = None  # until the first pass has found the stop
        self._precision = precision
        self._stream = CudaStream(cuda_stream)
        if recorders is not None:
            self.prepare(recorders, data_preprocessor)

    def prepare(
        self, recorders: RecorderManager, data_preprocessor: nn.Module | None = None
    ) -> None:
        """Place the recorders in the model; see :meth:`.BaseTeacher.prepare`."""
        source, target = normalization_by(data_preprocessor), self.normalization
        if source is None or target is None:
            who = 'student' if source is None else 'teacher'
            print_log(
                f"The {who} states no mean and std: the teacher gets the student's input "
                'as it is.',
                logger='current',
            )
        self.renormalize = Renormalize.between(source, target)
        check_sources(recorders, self.model, 'teacher_recorders', 'teacher')
        recorders.initialize(self.model)
        self.recorders = recorders
        recorded = recorded_modules(recorders)
        if self._compile:
            key = 'teacher_options.compile'
            check_recorders_compile(recorders.recorders, 'teacher_recorders', key)
            self._compiled = compile_blocks(self.model, recorded or ())
        self._recorded = recorded if self._stop_early else None

    @property
    def name(self) -> str:
        """The name of the model's class."""
        return type(self.model).__name__

    def start(
        self, images: Tensor, data_samples: Samples = None
    ) -> Callable[[], dict[str, Any]]:
        """Run the model on a batch, on its own stream if it has one.

        Args:
            images: (B, 3, H, W), normalised as the student's.
            data_samples: Not used.

        Returns:
            A function that returns what each recorder recorded: a tensor, or a tuple of them
            if the recorded module returns one. To be called on the stream that needs them.
        """
        try:
            with torch.no_grad(), self._stream.run(images):
                with self.recorders:
                    self._forward(images)
                outputs = {
                    name: self._cast(recorder.get_record_data())
                    for name, recorder in self.recorders.recorders.items()
                }
        finally:
            for recorder in self.recorders.recorders.values():
                recorder.reset_data_buffer()
        return partial(self._stream.wait, outputs)

    def logits(self, images: Tensor, data_samples: Samples = None) -> Tensor | None:
        """Return the model's logits (B, K), or None if it returns something else.

        Not compiled: it is for one pass over a data set, whose batches may be of another size
        than those of a training.

        Args:
            images: (B, 3, H, W), normalised as the student's; resized if the teacher is made
                for another size.
            data_samples: Not used.
        """
        with torch.no_grad(), torch.compiler.set_stance('force_eager'):
            return self._adapter.logits(self._cast(self._run(images)))

    def cost(self, images: Tensor) -> Cost:
        """Count the model's parameters, and the work of a pass that may stop early."""
        return Cost(num_parameters(self.model), macs_of(self, images))

    def fingerprint(self) -> str:
        """Return the SHA-256 of the model's weights."""
        return weights_sha256(self.model.state_dict())

    def apply(self, function: Callable[[Tensor], Tensor]) -> None:
        """Apply a function, such as that of ``nn.Module.to``, to all parameters and buffers."""
        self.model._apply(function)
        self.renormalize._apply(function)

    def _forward(self, images: Tensor) -> None:
        """Run the model as far as needed; the first time to its end, to find out how far."""
        if self._recorded is None:
            with stop_after(self._stop):
                self._run(images)
            return
        with torch.compiler.set_stance('force_eager'):
            run = partial(self._run, images)
            self._stop = find_stop(self.model, self._recorded, self._compiled, run)
        self._recorded = None

    def inputs(self, images: Tensor) -> Tensor:
        """Return images (B, 3, H, W), normalised as the student's, as the model takes them."""
        images = self.renormalize(images)
        if self.input_size is not None and self.input_size != tuple(images.shape[2:]):
            images = F.interpolate(images, self.input_size, mode='bicubic', antialias=True)
        return images

    def _run(self, images: Tensor) -> Any:
        """Run the model on images normalised and resized for it."""
        images = self.inputs(images)
        with autocast_to(self._precision, images.device):
            return self.model(images, mode='tensor')

    def _cast(self, output: Any) -> Any:
        """Return an output in float32 if the teacher has a precision of its own."""
        return output if self._precision is None else in_float32(output)
