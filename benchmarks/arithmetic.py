"""Count the multiplications of a training step, and measure the machine's peak."""

from typing import Any

from mmvitkd.analysis import distillation_cost_of
from mmvitkd.models.utils.cost import PASSES_OF_A_STEP, DistillationCost

import torch
from mmpretrain.registry import MODELS
from timing import seconds_of
from training_pair import TrainingPair

# Side of a matrix product large enough to reach the machine's peak.
SIDE = dict(cpu=2048, cuda=8192)
DTYPES = dict(fp32=torch.float32, bf16=torch.bfloat16)


def cost_of_pair(pair: TrainingPair) -> DistillationCost:
    """Count the multiply-accumulates of the pair's networks for one image."""
    preprocessor = {'type': 'ClsDataPreprocessor', **pair.cfg.data_preprocessor}
    model: Any = MODELS.build(
        {
            **pair.cfg.model.to_dict(),
            'teacher': pair.teacher(),
            'data_preprocessor': preprocessor,
        }
    )
    return distillation_cost_of(model, tuple(pair.images.shape[2:]))


def macs_of_a_step(cost: DistillationCost) -> int:
    """Return the multiply-accumulates of a training step for one image."""
    return PASSES_OF_A_STEP * (cost.student.macs + cost.losses.macs) + cost.teacher.macs


def describe_cost(cost: DistillationCost, batch_size: int, peak: float) -> str:
    """Describe the cost of a step in words.

    Args:
        cost: The cost of the pair.
        batch_size: Images per step.
        peak: FLOP/s of a large matrix product.
    """
    step = macs_of_a_step(cost)
    student, losses, teacher, whole = (
        f'{macs / 1e9:.3g}'
        for macs in (cost.student.macs, cost.losses.macs, cost.teacher.macs, step)
    )
    return (
        f'GMACs per image: {PASSES_OF_A_STEP} x ({student} student + {losses} losses), forward '
        f'and backward, + {teacher} teacher = {whole}; the teacher is '
        f'{100 * cost.teacher.macs / step:.0f} % of it\n'
        f'a large matrix product: {peak / 1e12:.3f} TFLOP/s; all of a step at that rate: '
        f'{1e3 * 2 * step * batch_size / peak:.0f} ms'
    )


def peak_flops(device: str, dtype: str) -> float:
    """Measure the peak: FLOP/s of one large matrix product, the best of several."""
    side = SIDE[device]
    matrix = torch.randn(side, side, device=device, dtype=DTYPES[dtype])
    best = min(seconds_of(torch.mm, matrix, matrix) for _ in range(7))
    return 2 * side**3 / best
