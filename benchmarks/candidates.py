"""List the candidates of the training step benchmark, and the work that each claims to do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from mmvitkd.suggestions import close_names

from bare_loop import BareLoop
from cached_steps import cached, filling
from runner_steps import mmrazor, ours
from timm_tasks import TimmTask
from training_pair import TrainingPair

# Largest relative difference of two losses of the same work. Bfloat16 needs a large one: the
# divergence of almost equal logits is a small difference of large, rounded numbers.
FP32, BF16_TEACHER, BF16 = 1e-4, 2e-2, 0.1
READS = "the teacher's forward pass, whose outputs it reads"


class Candidate(Protocol):
    """A training step; making a batch is not timed."""

    def batch(self) -> Any:
        """Return a batch as a loader does."""

    def step(self, batch: Any) -> None:
        """Train on a batch."""

    def loss(self) -> float:
        """Return the loss of the batch, without a step."""


@dataclass(frozen=True)
class Entry:
    """A candidate, and the work that it claims to do.

    Attributes:
        build: Builds it from the pair.
        what: A description.
        terms: The terms of the bare loop's loss that it also computes; None for all, () if its
            loss is another one.
        left_out: The part of the others' work that it leaves out.
        tolerance: Largest relative difference of its loss from the bare loop's.
        stored: Whether that is the loss with what a cache keeps of the teacher's outputs.
    """

    build: Callable[[TrainingPair], Candidate]
    what: str
    terms: tuple[str, ...] | None = None
    left_out: str = ''
    tolerance: float = FP32
    stored: bool = False


def _ours(name: str, what: str, tolerance: float = FP32, **options: Any) -> dict[str, Entry]:
    """Return an entry by its name; keys of the config have ``__`` for dots."""
    changes = {key.replace('__', '.'): value for key, value in options.items()}
    build = partial(ours, name=name, options=changes)
    return {name: Entry(build, f'ours, {what}', tolerance=tolerance)}


BASE, ALONE = 'baseline', 'alone'
ENTRIES: dict[str, Entry] = {
    BASE: Entry(BareLoop, 'a bare PyTorch loop, eager'),
    'baseline-again': Entry(BareLoop, 'the same again: the noise of two identical runs'),
    'baseline-compiled': Entry(
        partial(BareLoop, compiled=True), 'the bare loop, both networks compiled, AdamW fused'
    ),
    'mmrazor': Entry(
        partial(mmrazor, name='mmrazor'),
        "stock SingleTeacherDistill, MMEngine's hooks; PatchTokens and FeatureMSELoss are ours",
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
        'ours-cuda-stream',
        'the teacher on its own stream (CUDA)',
        model__teacher_options__cuda_stream=True,
    ),
    **_ours('ours-fast', 'all of these: fast=True', BF16_TEACHER, fast=True),
    **_ours(
        'ours-average',
        "with the config's moving average, which no other candidate has",
        average=True,
    ),
    'ours-cached': Entry(
        partial(cached, name='ours-cached', options={}),
        'ours, from a full teacher cache: features in int8, the top 20 logits',
        left_out=READS,
        stored=True,
    ),
    'ours-cached-fast': Entry(
        partial(cached, name='ours-cached-fast', options=dict(fast=True)),
        'the same with fast=True',
        left_out=READS,
        tolerance=BF16_TEACHER,
        stored=True,
    ),
    'ours-filling': Entry(
        partial(filling, name='ours-filling', options={}),
        'ours, into a teacher cache: every batch is new, and on the disk before the next',
        stored=True,
    ),
    ALONE: Entry(
        partial(BareLoop, distil=False),
        'the student alone, on labels, in a bare loop',
        terms=('labels',),
        left_out='all distillation',
    ),
    'alone-again': Entry(
        partial(BareLoop, distil=False),
        'the same again',
        terms=('labels',),
        left_out='all distillation',
    ),
}
FIRST_BLOCK = [ALONE, 'alone-again', BASE, 'mmrazor', 'ours', 'ours-fast']
WITH_CACHE = ['ours-cached', 'ours-cached-fast', 'ours-filling']
CACHED = [ALONE, 'alone-again', BASE, 'ours', 'ours-fast', *WITH_CACHE]
DEFAULT = [name for name in ENTRIES if not name.startswith(ALONE) and name not in WITH_CACHE]
# Names until the last release.
RENAMED = {
    'limit': 'baseline',
    'limit-again': 'baseline-again',
    'limit-compiled': 'baseline-compiled',
    'ours-own-stream': 'ours-cuda-stream',
}


def choose_candidates(
    names: Sequence[str] | None, device: str, default: Sequence[str] = DEFAULT
) -> list[str]:
    """Return the names of the candidates to run, starting with the one they are compared with.

    Args:
        names: The requested names, or None for those of ``default`` that suit the device.
        device: 'cpu' or 'cuda'.
        default: The names of a comparison; the first always runs.

    Raises:
        ValueError: If a name is unknown; the message names close ones.
    """
    names = [RENAMED.get(name, name) for name in names or []]
    for name in names:
        if name not in ENTRIES:
            close = close_names(name, ENTRIES, cutoff=0.3)
            raise ValueError(
                f'--candidates: there is no {name!r}. Similar names: '
                f'{", ".join(close) or "none"}. All: {", ".join(ENTRIES)}.'
            )
    if not names:
        names = [name for name in default if device == 'cuda' or name != 'ours-cuda-stream']
    return list(dict.fromkeys([default[0], *names]))
