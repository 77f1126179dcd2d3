"""Decide how to distil a teacher from what was measured of its features."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isclose, sqrt
from typing import Any

from ..models.algorithms.pair_config import FINAL_NORM
from .layer_selection import LayerChoice

# The thresholds; docs/recommend.md says why.
MAX_MEAN_SHARE = 0.5  # of the energy in the mean token
MAX_LARGEST_SHARE = 0.5  # of the variance in the largest hundredth of the channels
MAX_FLOOR = 0.02  # of the variance that the width may cost
MAX_NORM_RATIO = 1.5  # between the tokens' norm and a new LayerNorm's, either way

PROJECTOR, LIFT, WIDELAST = 'projector', 'lift', 'widelast'

# What supports a decision, by its part and value: a document with measurements.
WIDTHS = 'docs/recommend.md, on digits (raw target) and on solar cells (standardised)'
EVIDENCE: Mapping[tuple[str, str], str] = {
    ('remedy', PROJECTOR): WIDTHS,
    ('remedy', WIDELAST): WIDTHS,
}
UNSUPPORTED = 'not supported by measurements yet'


@dataclass(frozen=True)
class Decision:
    """One part of a recommendation.

    Attributes:
        part: 'target', 'layers', 'remedy' or 'width'.
        value: What is recommended.
        reason: Why, in a sentence with its numbers.
    """

    part: str
    value: str
    reason: str

    @property
    def supported_by(self) -> str:
        """The measurements that support it, or that there are none yet."""
        return EVIDENCE.get((self.part, self.value), UNSUPPORTED)

    def as_dict(self) -> dict[str, str]:
        """Return it with what supports it."""
        return {**asdict(self), 'supported_by': self.supported_by}


@dataclass(frozen=True)
class TeacherNumbers:
    """What a recommendation is made from.

    Attributes:
        last: The result of ``WidthFloor`` for the last block, with the student's width among
            the pooled ones.
        normed: The same after the final norm; None for a teacher without one.
    """

    last: Mapping[str, Any]
    normed: Mapping[str, Any] | None

    def of(self, target: str) -> Mapping[str, Any]:
        """Return the numbers of the layer of a target."""
        found = self.normed if target == FINAL_NORM else self.last
        if found is None:
            raise ValueError(f'target={target!r}: the teacher has no final norm.')
        return found

    def floors(self, target: str) -> list[float]:
        """Return the held-out floors of a target as shares of its variance, by width."""
        found: list[float] = self.of(target)[_about_mean(target)]['held_out']
        return found

    def pooled(self, target: str, width: int) -> float:
        """Return what pooling to a width discards, likewise."""
        found: float = self.of(target)[_about_mean(target)]['pooled'][str(width)]
        return found


@dataclass(frozen=True)
class Recommendation:
    """How to distil a teacher.

    Attributes:
        target: 'raw', 'centred', 'standardised' or 'final_norm'.
        layers: 'last': the last layer's tokens, and unless the remedy pools them the embedding.
        remedy: 'projector', 'lift' or 'widelast'.
        width: That of the student's last features, before any projector.
        norm_from_target: Whether Lift's LayerNorm starts at the target's statistics.
    """

    target: Decision
    layers: Decision
    remedy: Decision
    width: Decision
    norm_from_target: bool

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """All of them, in the order in which they are made."""
        return self.target, self.layers, self.remedy, self.width


def recommend(
    numbers: TeacherNumbers,
    student_width: int,
    spectral: LayerChoice,
    head_size: int = 64,
    wide_output: bool = False,
) -> Recommendation:
    """Return how to distil a teacher into a student.

    Args:
        numbers: Of the teacher.
        student_width: At most the teacher's.
        spectral: SpectralKD's choice of layers, to name it next to the recommended ones.
        head_size: Channels of an attention head of the student: the step of WideLast's width.
        wide_output: Whether what the student returns must be as wide as the teacher's
            features, for a head or an index made for these.

    Raises:
        ValueError: If the student is wider than the teacher, so that there is no floor.
    """
    width = len(numbers.last['raw']['in_sample']) - 1
    if not 1 <= student_width <= width:
        raise ValueError(
            f'student_width={student_width}: wanted 1 to {width}, the width of the teacher: a '
            'wider student has no floor.'
        )
    target = choose_target(numbers)
    floors = numbers.floors(target.value)
    remedy = _choose_remedy(numbers, target.value, student_width, wide_output)
    chosen = _choose_width(floors, remedy.value, student_width, head_size, wide_output)
    ratio = _norm_ratio(numbers, target.value)
    starts = remedy.value == LIFT and not 1 / MAX_NORM_RATIO < ratio < MAX_NORM_RATIO
    return Recommendation(target, _choose_layers(spectral), remedy, chosen, starts)


def choose_target(numbers: TeacherNumbers) -> Decision:
    """Choose the target: after the final norm, unless a mean or a few channels outweigh it."""
    last, normed = numbers.last, numbers.normed
    value, reason = 'raw', f'{_shares(last)}: neither outweighs the rest'
    if normed is not None and not _outweighed(normed):
        value = FINAL_NORM
        reason = f"after the final norm, which the teacher's own head reads, {_shares(normed)}"
        reason += f'; before it, {_shares(last)}'
    elif last['largest']['variance'] > MAX_LARGEST_SHARE:
        value = 'standardised'
        reason = f'{_shares(last)}: a loss that adds up channels would learn little else'
    elif last['mean_share'] > MAX_MEAN_SHARE:
        value = 'centred'
        reason = f'{_shares(last)}: most of what a raw target rewards is one constant vector'
    return Decision('target', value, _sentence(reason))


def _choose_layers(spectral: LayerChoice) -> Decision:
    return Decision(
        'layers',
        'last',
        'The last layer is what the embedding and a head are made from; SpectralKD would '
        f'distil {_ends(spectral)}, with {_percent(spectral.captured_share)} of the frequency '
        f'intensity of the {len(spectral.pairs)} most intense blocks.',
    )


def _ends(spectral: LayerChoice) -> str:
    """State the blocks at both ends of a student."""
    ends = {'first': spectral.first, 'last': spectral.last}
    return ' and '.join(f'the {end} {count}' for end, count in ends.items() if count)


def _choose_remedy(
    numbers: TeacherNumbers, target: str, student_width: int, wide_output: bool
) -> Decision:
    """Choose the cheapest remedy whose floor is low enough."""
    floors = numbers.floors(target)
    # A projector reads tokens behind a LayerNorm, whose channels add up to 0: one less.
    floor = floors[student_width if wide_output else student_width - 1]
    name = 'Lift' if wide_output else 'a projector'
    binds = floor > MAX_FLOOR
    reason = (
        f'the floor of {name} at the width {student_width} is {_percent(floor)} of the '
        f'variance, {"above" if binds else "at most"} {_percent(MAX_FLOOR)}: '
    )
    if binds:
        value = WIDELAST
        reason += 'the width limits the student'
        if not wide_output:
            reason += f', and Lift has the floor {_percent(floors[student_width])}'
        reason += '; a wider last block is not bound by it'
    else:
        value = LIFT if wide_output else PROJECTOR
        reason += 'the width costs little'
        if student_width < len(floors) - 1:
            pooled = numbers.pooled(target, student_width)
            reason += f', where average pooling to it discards {_percent(pooled)}'
        if wide_output:
            reason += ", and the result has the teacher's width"
    return Decision('remedy', value, _sentence(reason))


def _choose_width(
    floors: Sequence[float], remedy: str, student_width: int, head_size: int, wide_output: bool
) -> Decision:
    """Choose the width of the last features: WideLast's, or the student's own."""
    width = len(floors) - 1
    if remedy != WIDELAST:
        reason = f'{_percent(floors[student_width])} of the variance is beyond {student_width}'
        return Decision('width', str(student_width), _sentence(f'{reason} directions'))
    steps = [] if wide_output else [*range(student_width + head_size, width, head_size)]
    low = [w for w in steps if floors[w - 1] <= MAX_FLOOR]
    if not low:
        return Decision('width', str(width), "The teacher's width, which has no floor.")
    return Decision(
        'width',
        str(low[0]),
        f'The narrowest of {", ".join(map(str, steps))} and {width} whose floor behind a '
        f'projector, {_percent(floors[low[0] - 1])} of the variance, is at most '
        f'{_percent(MAX_FLOOR)}.',
    )


def _norm_ratio(numbers: TeacherNumbers, target: str) -> float:
    """Return the norm of a target's tokens relative to that of a new LayerNorm's."""
    layer = numbers.of(target)
    norm = layer['token_norm']
    if target == 'standardised':
        return 1.0  # each channel has a variance of 1
    energy = norm['mean'] ** 2 + norm['std'] ** 2
    if target == 'centred':
        energy *= 1 - layer['mean_share']
    return float(sqrt(energy) / norm['layer_norm'])


def _about_mean(target: str) -> str:
    """Return the target whose floors are shares of the variance, and not of all energy."""
    return 'standardised' if target == 'standardised' else 'centred'


def _outweighed(numbers: Mapping[str, Any]) -> bool:
    largest: float = numbers['largest']['variance']
    return bool(numbers['mean_share'] > MAX_MEAN_SHARE or largest > MAX_LARGEST_SHARE)


def _shares(numbers: Mapping[str, Any]) -> str:
    """State the shares of the mean token and of the largest channels."""
    channels, width = len(numbers['largest']['channels']), len(numbers['raw']['in_sample']) - 1
    return (
        f'the mean token has {_percent(numbers["mean_share"])} of the energy, and the '
        f'largest hundredth of the channels ({channels} of {width}) has '
        f'{_percent(numbers["largest"]["variance"])} of the variance'
    )


def _percent(share: float) -> str:
    """Return a share in percent with two significant digits."""
    percent = 100 * share
    return f'{percent:.0f} %' if percent >= 9.95 or isclose(percent, 0) else f'{percent:.2g} %'


def _sentence(text: str) -> str:
    return f'{text[0].upper()}{text[1:]}.'
