"""Report the results of the training step benchmark other than times."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmvitkd.models.utils.cost import DistillationCost

from arithmetic import macs_of_a_step
from cached_steps import CachedStep
from candidates import ENTRIES
from timing import summary_of
from workers import Workers

IMAGENET = 1_281_167  # training images


def terms_text(terms: Mapping[str, float]) -> str:
    """Describe the terms of a loss."""
    return ' + '.join(f'{name} {term:.6f}' for name, term in terms.items())


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
            if ENTRIES[name].terms is None and not ENTRIES[name].left_out
        }
    if workers.peaks:
        peaks = workers.peaks.items()
        found['peak, GiB'] = {name: f'{peak / 2**30:.2f}' for name, peak in peaks}
    warm_ups = workers.warm_up_seconds.items()
    found['warm-up, s'] = {name: f'{s:.1f}' for name, s in warm_ups}
    return found


def reader_numbers(
    workers: Workers, seconds: Mapping[str, Sequence[float]], steps: int
) -> dict[str, dict[str, float]]:
    """Return what reading a teacher cache costs, of the candidates that do nothing but that.

    Args:
        workers: The candidates.
        seconds: The times of each, per step, one per turn.
        steps: The steps in a turn.

    Returns:
        By candidate, the bytes of a view, the share of the reader in the time of the steps, and
        the bytes a second that it reads.
    """
    found = {}
    for name, turns in seconds.items():
        step = workers.ready[name]
        if isinstance(step, CachedStep) and not step.stores:
            waits = step.waits[-len(turns) * steps :]  # without the warm-up
            row_bytes = step.teacher.row_bytes
            found[name] = dict(
                bytes_per_view=row_bytes,
                share_of_step=sum(waits) / (sum(turns) * steps),
                bytes_per_second=row_bytes * len(workers.pair.images) * len(waits) / sum(waits),
            )
    return found


def reader_notes(readers: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Describe what reading a teacher cache costs."""
    lines = []
    for name, found in readers.items():
        size, share = found['bytes_per_view'], found['share_of_step']
        lines.append(
            f'{name}: reads {size:,} bytes a view ({size * IMAGENET / 1e9:.1f} GB for '
            f"ImageNet's {IMAGENET:,} images) in {100 * share:.2f} % of a step, at "
            f'{found["bytes_per_second"] / 1e6:.0f} MB/s'
        )
    return lines


def candidate_notes(workers: Workers) -> list[str]:
    """Describe each candidate, what it leaves out, and which failed."""
    lines = []
    for name in workers.ready:
        entry = ENTRIES[name]
        left_out = f'; LEFT OUT: {entry.left_out}' if entry.left_out else ''
        lines.append(f'{name}: {entry.what}{left_out}')
    return lines + [f'{name}: FAILED: {reason}' for name, reason in workers.failed.items()]


def json_content(
    workers: Workers,
    seconds: Mapping[str, list[float]],
    readers: Mapping[str, Mapping[str, float]],
    cost: DistillationCost,
    peak: float,
) -> dict[str, Any]:
    """Return the content of the file, except settings and environment."""
    return dict(
        seconds=seconds,
        summary={name: summary_of(s)._asdict() for name, s in seconds.items()},
        losses=workers.losses,
        loss_terms=workers.expected,
        loss_terms_stored=workers.expected_stored,
        readers=readers,
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
