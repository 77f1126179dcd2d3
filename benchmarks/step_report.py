"""What the benchmark of a training step says about its contestants, beside their times."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmvitkd.models.utils.cost import DistillationCost

from arithmetic import macs_of_a_step
from contestants import ENTRIES
from starters import Starters
from timing import summary_of


def columns(
    starters: Starters,
    seconds: Mapping[str, Sequence[float]],
    batch_size: int,
    macs: int | None,
    peak: float,
) -> dict[str, dict[str, str]]:
    """What the table says beside the times.

    Args:
        starters: Who takes part.
        seconds: The times of each.
        batch_size: Images of a step.
        macs: Of a step that does all the work, for one image; None to leave the rate out.
        peak: FLOP/s of a large matrix product.
    """
    rates = {name: batch_size / summary_of(s).first_quartile for name, s in seconds.items()}
    found = {'images/s': {name: f'{rate:.1f}' for name, rate in rates.items()}}
    if macs:
        found['TFLOP/s (of a product)'] = {
            name: f'{2 * macs * rate / 1e12:.3f} ({200 * macs * rate / peak:.0f} %)'
            for name, rate in rates.items()
            if ENTRIES[name].terms is None
        }
    if starters.peaks:
        peaks = starters.peaks.items()
        found['peak, GiB'] = {name: f'{peak / 2**30:.2f}' for name, peak in peaks}
    warm_ups = starters.warm_up_seconds.items()
    found['warm-up, s'] = {name: f'{s:.1f}' for name, s in warm_ups}
    return found


def notes(starters: Starters) -> list[str]:
    """What each contestant is, what it leaves out, and who failed."""
    lines = []
    for name in starters.ready:
        entry = ENTRIES[name]
        left_out = f'; LEFT OUT: {entry.left_out}' if entry.left_out else ''
        lines.append(f'{name}: {entry.what}{left_out}')
    return lines + [f'{name}: FAILED: {reason}' for name, reason in starters.failed.items()]


def content(
    starters: Starters, seconds: Mapping[str, list[float]], cost: DistillationCost, peak: float
) -> dict[str, Any]:
    """What is written to the file, beside settings and circumstances."""
    return dict(
        seconds=seconds,
        summary={name: summary_of(s)._asdict() for name, s in seconds.items()},
        losses=starters.losses,
        loss_terms=starters.expected,
        warm_up_seconds=starters.warm_up_seconds,
        peak_bytes=starters.peaks,
        left_out={name: ENTRIES[name].left_out for name in seconds},
        failed=starters.failed,
        macs=dict(
            student=cost.student.macs,
            teacher=cost.teacher.macs,
            losses=cost.losses.macs,
            step=macs_of_a_step(cost),
        ),
        matrix_product_flops=peak,
    )
