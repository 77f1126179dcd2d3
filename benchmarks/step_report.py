"""Report the results of the training step benchmark other than times."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmvitkd.models.utils.cost import DistillationCost

from arithmetic import macs_of_a_step
from candidates import ENTRIES
from timing import summary_of
from workers import Workers


def table_columns(
    workers: Workers,
    seconds: Mapping[str, Sequence[float]],
    batch_size: int,
    macs: int | None,
    peak: float,
) -> dict[str, dict[str, str]]:
    """Return further columns of the table.

    Args:
        workers: The candidates.
        seconds: The times of each.
        batch_size: Images per step.
        macs: Multiply-accumulates of a complete step for one image; None to leave out the rate.
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
    if workers.peaks:
        peaks = workers.peaks.items()
        found['peak, GiB'] = {name: f'{peak / 2**30:.2f}' for name, peak in peaks}
    warm_ups = workers.warm_up_seconds.items()
    found['warm-up, s'] = {name: f'{s:.1f}' for name, s in warm_ups}
    return found


def candidate_notes(workers: Workers) -> list[str]:
    """Describe each candidate, what it leaves out, and which failed."""
    lines = []
    for name in workers.ready:
        entry = ENTRIES[name]
        left_out = f'; LEFT OUT: {entry.left_out}' if entry.left_out else ''
        lines.append(f'{name}: {entry.what}{left_out}')
    return lines + [f'{name}: FAILED: {reason}' for name, reason in workers.failed.items()]


def json_content(
    workers: Workers, seconds: Mapping[str, list[float]], cost: DistillationCost, peak: float
) -> dict[str, Any]:
    """Return the content of the file, except settings and environment."""
    return dict(
        seconds=seconds,
        summary={name: summary_of(s)._asdict() for name, s in seconds.items()},
        losses=workers.losses,
        loss_terms=workers.expected,
        warm_up_seconds=workers.warm_up_seconds,
        peak_bytes=workers.peaks,
        left_out={name: ENTRIES[name].left_out for name in seconds},
        failed=workers.failed,
        macs=dict(
            student=cost.student.macs,
            teacher=cost.teacher.macs,
            losses=cost.losses.macs,
            step=macs_of_a_step(cost),
        ),
        matrix_product_flops=peak,
    )
