"""Count the parameters and multiply-accumulates of a model and of its distillation."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

# A forward pass, and a backward pass with twice as many products: for the gradients of the
# input and of the weights.
PASSES_OF_A_STEP = 3


class Cost(NamedTuple):
    """Parameters of a model, and multiply-accumulates for one image."""

    parameters: int
    macs: int


class DistillationCost(NamedTuple):
    """The cost of each part of a training step, for one image.

    Attributes:
        student: Its forward pass.
        teacher: Its forward pass, at the size of its images, up to where it stops; None if
            unknown.
        losses: The connectors and losses, forward.
        teacher_size: (H, W) of the teacher's images, in pixels.
    """

    student: Cost
    teacher: Cost | None
    losses: Cost
    teacher_size: tuple[int, int]

    @property
    def share(self) -> float | None:
        """What distillation adds, as a share of a training step of the student alone.

        The teacher runs forward only; connectors and losses run backward too. None if the
        teacher's cost is unknown.
        """
        if self.teacher is None:
            return None
        added = self.teacher.macs + PASSES_OF_A_STEP * self.losses.macs
        return added / (PASSES_OF_A_STEP * self.student.macs)


def cost_of(model: nn.Module, image_size: Sequence[int]) -> Cost:
    """Count a model's parameters and multiply-accumulates.

    Matrix products and convolutions count, attention's among them; published GFLOPs are
    twice the multiply-accumulates (arXiv 2511.15572).

    Args:
        model: Takes (1, 3, H, W).
        image_size: H and W, in pixels.
    """
    parameter = next(model.parameters())
    image = torch.zeros(1, 3, *image_size, device=parameter.device, dtype=parameter.dtype)
    training = model.training
    model.eval()
    # Without gradients torch's counter trips over CaiT's class token, an expanded parameter.
    with torch.enable_grad():
        macs = macs_of(model, image)
    model.train(training)
    return Cost(num_parameters(model), macs)


def distillation_cost_of(algorithm: Any, image_size: Sequence[int]) -> DistillationCost:
    """Count the cost of each part of a training step of a distillation.

    Of connectors and losses, matrix products and convolutions count; Fourier transforms and
    element-wise work, such as that of a mean squared error, do not.

    Args:
        algorithm: A ``FeatureDistill`` with its teacher.
        image_size: H and W of the student's images, in pixels.
    """
    student, distiller, teacher = algorithm.student, algorithm.distiller, algorithm.teacher
    height, width = teacher.input_size or image_size
    parameter = next(student.parameters())
    image = torch.zeros(1, 3, *image_size, device=parameter.device, dtype=parameter.dtype)
    training = algorithm.training
    algorithm.eval()
    samples = [DataSample().set_gt_label(0)]
    records = algorithm.records(image, samples, dry_run=True)
    eager = torch.compiler.set_stance('force_eager')
    with eager, torch.no_grad(), records, FlopCounterMode(display=False) as flops:
        distiller.compute_distill_losses()
    algorithm.train(training)
    return DistillationCost(
        student=cost_of(student, image_size),
        teacher=teacher.cost(image),
        losses=Cost(num_parameters(distiller), flops.get_total_flops() // 2),
        teacher_size=(height, width),
    )


def macs_of(run: Callable[[Tensor], Any], image: Tensor) -> int:
    """Count the multiply-accumulates of a function of images."""
    # Fused attention and compiled code are opaque to the counter; these make them visible.
    eager, unfused = torch.compiler.set_stance('force_eager'), sdpa_kernel(SDPBackend.MATH)
    with eager, unfused, FlopCounterMode(display=False) as flops:
        run(image)
    return int(flops.get_total_flops()) // 2


def num_parameters(model: nn.Module) -> int:
    """Count the parameters of a module."""
    return sum(p.numel() for p in model.parameters())
