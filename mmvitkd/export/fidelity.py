"""Measure how much a compact file of a student changes what the student returns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from torch import Tensor

from ..models.utils.label_rule import LabelRule
from .parity import as_list
from .sample_images import SampleImages
from .student import Student

Run = Callable[[Tensor], Sequence[Tensor]]
BATCH_SIZE = 32
ROUNDS = 15  # the first warms up
# What a file may cost. It is refused beyond.
MAX_ERROR = 0.05  # of the variance of an output over the images
MIN_AGREEMENT = 97.0  # percent of the images


@dataclass(frozen=True)
class Fidelity:
    """What a file of a student returns, compared with the student itself.

    Attributes:
        num_bytes: The size of the file.
        difference: The largest absolute difference of an output.
        error: The mean squared difference as a share of the variance over the images; of the
            output with the largest one. NaN if an output is.
        agreement: Percent of the images that get the same class, or the same classes where an
            image may have several; None without classes.
        top1: Percent of the images whose class is their own; None without labels.
        milliseconds: The median time of one image, on this machine.
    """

    num_bytes: int
    difference: float
    error: float
    agreement: float | None
    top1: float | None
    milliseconds: float

    @property
    def is_close(self) -> bool:
        """Whether it loses no more than stated."""
        agreement = 100.0 if self.agreement is None else self.agreement
        return self.error <= MAX_ERROR and agreement >= MIN_AGREEMENT


def measure_fidelity(
    student: Student, runs: Mapping[Path, Run], samples: SampleImages
) -> dict[Path, Fidelity]:
    """Compare files of a student with it, on the same images.

    Args:
        student: The student.
        runs: What runs each file: normalised images (B, 3, H, W) to ``student.outputs``.
        samples: The images; those of the calibration are not used.
    """
    wanted = _outputs(lambda images: as_list(student.model(images)), samples.compared)
    times = _times(runs, samples.compared[:1])
    found = {}
    for file, run in runs.items():
        outputs = _outputs(run, samples.compared)
        pairs = list(zip(outputs, wanted, strict=True))
        same, hits = None, None
        if student.num_classes:
            decided, own = (_classes(side, student.label_rule) for side in pairs[0])
            same = _percent((decided == own).all(1))
            if samples.labels is not None and student.label_rule is None:
                hits = _percent(decided[:, 0] == samples.labels)
        found[file] = Fidelity(
            file.stat().st_size,
            # NaN and inf stay what they are.
            float(torch.stack([(a - b).abs().max() for a, b in pairs]).max()),
            float(torch.tensor([_error(a, b) for a, b in pairs]).max()),
            same,
            hits,
            1e3 * times[file],
        )
    return found


def _outputs(run: Run, images: Tensor) -> list[Tensor]:
    with torch.no_grad():
        batches = [run(part) for part in images.split(BATCH_SIZE)]
    return [torch.cat(parts).double() for parts in zip(*batches, strict=True)]


def _classes(logits: Tensor, rule: LabelRule | None) -> Tensor:
    """Return the class of each image, (B, 1), or which ones it has, (B, classes)."""
    if rule is None:
        return logits.argmax(1, keepdim=True)
    if rule.threshold is not None:
        return logits.sigmoid() >= rule.threshold
    has = torch.zeros_like(logits, dtype=torch.bool)
    return has.scatter(1, logits.topk(rule.top or 1).indices, True)


def _error(found: Tensor, wanted: Tensor) -> float:
    variance = (wanted - wanted.mean(0)).square().mean().item()
    error = (found - wanted).square().mean().item()
    return error / variance if variance else inf if error else 0.0


def _times(runs: Mapping[Path, Run], image: Tensor) -> dict[Path, float]:
    """Return the median seconds of each, measured in turn."""
    seconds: dict[Path, list[float]] = {file: [] for file in runs}
    with torch.no_grad():
        for _ in range(ROUNDS):
            for file, run in runs.items():
                start = perf_counter()
                run(image)
                seconds[file].append(perf_counter() - start)
    return {file: median(times[1:]) for file, times in seconds.items()}


def _percent(hits: Tensor) -> float:
    return 100 * float(hits.double().mean())
