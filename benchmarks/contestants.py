"""Who takes part in the benchmark of a training step, and what each claims to do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any, Protocol

from bare_loop import BareLoop
from runner_steps import mmrazor, ours
from timm_tasks import TimmTask
from training_pair import TrainingPair

# How far two losses of the same work may differ, relatively. The divergence of logits that are
# almost equal is a small difference of large numbers, which autocast on a CPU rounds.
FP32, BF16_TEACHER, BF16 = 1e-4, 2e-2, 0.1


class Contestant(Protocol):
    """A training step; a batch is made outside the clock."""

    def batch(self) -> Any:
        """What a loader would hand over."""

    def step(self, batch: Any) -> None:
        """Train on a batch."""

    def loss(self) -> float:
        """The loss of the batch, without a step."""


@dataclass(frozen=True)
class Entry:
    """A contestant's claim.

    Attributes:
        build: Makes it, from the pair.
        what: What it is.
        terms: Of the bare loop's loss, those that it computes as well; None for all, ()
            where its loss is another one.
        left_out: What it does not do that the others do.
        tolerance: Of its loss against the bare loop's.
    """

    build: Callable[[TrainingPair], Contestant]
    what: str
    terms: tuple[str, ...] | None = None
    left_out: str = ''
    tolerance: float = FP32


def _ours(name: str, what: str, tolerance: float = FP32, **options: Any) -> dict[str, Entry]:
    changes = {key.replace('__', '.'): value for key, value in options.items()}
    build = partial(ours, name=name, options=changes)
    return {name: Entry(build, f'ours, {what}', tolerance=tolerance)}


BASE, ALONE = 'limit', 'alone'
ENTRIES: dict[str, Entry] = {
    BASE: Entry(BareLoop, 'a bare PyTorch loop, eager'),
    'limit-again': Entry(BareLoop, 'the same once more: the noise of two identical runs'),
    'limit-compiled': Entry(
        partial(BareLoop, compiled=True), 'the bare loop, both networks compiled, AdamW fused'
    ),
    'mmrazor': Entry(
        partial(mmrazor, name='mmrazor'),
        "stock SingleTeacherDistill, MMEngine's hooks; TokensToMap and FeatureMSELoss are ours",
    ),
    'timm-logits': Entry(
        TimmTask,
        'timm.task.LogitDistillationTask, eager',
        terms=('labels', 'logits'),
        left_out='the feature loss',
    ),
    'timm-feature': Entry(
        partial(TimmTask, features=True),
        'timm.task.FeatureDistillationTask, eager',
        terms=(),
        left_out="the logits' loss; features are the pooled token before the head, not a block",
    ),
    **_ours('ours', 'as configured'),
    **_ours(
        'ours-bf16-teacher',
        'the teacher in bfloat16',
        BF16_TEACHER,
        model__teacher_options__precision='bf16',
    ),
    **_ours(
        'ours-compiled-teacher', 'the teacher compiled', model__teacher_options__compile=True
    ),
    **_ours('ours-compiled-student', 'the student compiled', model__compile_student=True),
    **_ours('ours-fused', 'AdamW fused', optim_wrapper__optimizer__fused=True),
    **_ours('ours-channels-last', 'channels last', model__channels_last=True),
    **_ours(
        'ours-own-stream',
        'the teacher on a stream of its own (CUDA)',
        model__teacher_options__own_stream=True,
    ),
    **_ours('ours-fast', 'all of these: fast=True', BF16_TEACHER, fast=True),
    **_ours(
        'ours-average', "with the config's moving average, which nobody else has", average=True
    ),
    ALONE: Entry(
        partial(BareLoop, distil=False),
        'the student alone, on labels, in a bare loop',
        terms=('labels',),
        left_out='all distillation',
    ),
    'alone-again': Entry(
        partial(BareLoop, distil=False),
        'the same once more',
        terms=('labels',),
        left_out='all distillation',
    ),
}
DEFAULT = [name for name in ENTRIES if not name.startswith(ALONE)]
FIRST_BLOCK = [ALONE, 'alone-again', 'limit', 'mmrazor', 'ours', 'ours-fast']


def chosen(names: Sequence[str] | None, device: str, first_block: bool) -> list[str]:
    """Who takes part; whom the others are measured by comes first.

    Args:
        names: Those asked for, or None for all that make sense.
        device: 'cpu' or 'cuda'.
        first_block: Whether the student alone is the measure.

    Raises:
        ValueError: If there is no such contestant; names those that come close.
    """
    for name in names or []:
        if name not in ENTRIES:
            close = get_close_matches(name, ENTRIES, n=5, cutoff=0.3)
            raise ValueError(
                f'--contestants: there is no {name!r}. Close to it: '
                f'{", ".join(close) or "none"}. All: {", ".join(ENTRIES)}.'
            )
    if not names:
        names = FIRST_BLOCK if first_block else DEFAULT
        names = [name for name in names if device == 'cuda' or name != 'ours-own-stream']
    base = ALONE if first_block else BASE
    return list(dict.fromkeys([base, *names]))
