"""The decisions, each by its threshold, and the sentences with their numbers."""

import json
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.analysis import recommendation
from mmvitkd.analysis.layer_selection import LayerChoice
from mmvitkd.analysis.recommendation import (
    UNSUPPORTED,
    TeacherNumbers,
    choose_target,
    recommend,
)

import pytest

DOCS = Path(__file__).parents[2] / 'docs'
WIDTH = 256
SPECTRAL = LayerChoice(2, 6, [(i, i) for i in range(8)], 0.91)


def layer(decay=0.93, mean_share=0.2, largest=0.05, norm=16.0, standardised=None):
    """The numbers of a layer, whose floor falls by a factor with each channel."""

    def floors(factor):
        curve = [factor**width for width in range(WIDTH + 1)]
        pooled = {str(width): 0.5 for width in range(1, WIDTH + 1)}
        return dict(in_sample=curve, held_out=[1.1 * x for x in curve], pooled=pooled)

    return dict(
        raw=floors(decay),
        centred=floors(decay),
        standardised=floors(standardised or decay),
        mean_share=mean_share,
        largest=dict(channels=[3, 7, 9], energy=largest, variance=largest),
        token_norm=dict(mean=norm, std=1.0, layer_norm=16.0),
    )


def decided(last, normed=None, student=64, **options):
    return recommend(TeacherNumbers(last, normed), student, SPECTRAL, **options)


@pytest.mark.parametrize(
    ('last', 'normed', 'target', 'numbers'),
    [
        (layer(mean_share=0.9), layer(mean_share=0.3), 'final_norm', ('90 %', '30 %')),
        (layer(), layer(mean_share=0.51), 'raw', ('20 %',)),
        (layer(), None, 'raw', ('20 %',)),
        (layer(mean_share=0.72), layer(largest=0.51), 'centred', ('72 %',)),
        (layer(mean_share=0.72, largest=0.61), None, 'standardised', ('72 %', '61 %', '3 of')),
        (layer(mean_share=0.5, largest=0.5), None, 'raw', ('50 %',)),
    ],
)
def test_the_target(last, normed, target, numbers):
    decision = choose_target(TeacherNumbers(last, normed))
    assert decision.value == target
    assert all(number in decision.reason for number in numbers)


def test_a_projector_alone_where_the_width_costs_little():
    found = decided(layer(decay=0.93))  # 1.1 * 0.93 ** 63 = 1.1 %
    assert (found.remedy.value, found.width.value) == ('projector', '64')
    assert '1.1 %' in found.remedy.reason and 'discards 50 %' in found.remedy.reason


def test_a_projector_behind_a_layer_norm_has_one_channel_less():
    last = layer()
    curve = [0.015] * (WIDTH + 1)
    curve[63] = 0.03
    last['centred']['held_out'] = curve
    assert decided(last).remedy.value == 'widelast'
    assert decided(last, wide_output=True).remedy.value == 'lift'


def test_a_wider_last_block_where_the_width_limits_the_student():
    found = decided(layer(decay=0.975), head_size=32)  # 1.1 * 0.975 ** 159 = 2 %
    assert found.remedy.value == 'widelast'
    assert '22 %' in found.remedy.reason and 'Lift' in found.remedy.reason
    assert found.width.value == '160'  # of 96, 128, 160, 192 and 224
    assert decided(layer(decay=0.98), wide_output=True).width.value == str(WIDTH)
    assert decided(layer(decay=0.9999)).width.value == str(WIDTH)


def test_the_floor_is_that_of_the_chosen_target():
    hard = layer(decay=0.9, largest=0.8, standardised=0.99)
    found = decided(hard)
    assert (found.target.value, found.remedy.value) == ('standardised', 'widelast')
    easy = layer(decay=0.9)
    assert decided(layer(decay=0.99), easy).remedy.value == 'projector'


@pytest.mark.parametrize(('norm', 'starts'), [(16.0, False), (25.0, True), (10.0, True)])
def test_lift_starts_at_its_target_where_the_norms_differ(norm, starts):
    found = decided(layer(decay=0.9, norm=norm), wide_output=True)
    assert found.remedy.value == 'lift' and found.norm_from_target is starts
    assert decided(layer(decay=0.9, norm=norm)).norm_from_target is False
    spread = layer(decay=0.9, norm=norm, largest=0.8)
    assert decided(spread, wide_output=True).norm_from_target is False  # standardised


def test_a_centred_target_has_less_norm():
    found = decided(layer(decay=0.9, norm=25.0, mean_share=0.6), wide_output=True)
    assert found.target.value == 'centred'
    assert not found.norm_from_target  # (1 - 0.6) ** 0.5 * 25 / 16 = 0.99


def test_the_layers_name_spectralkd():
    reason = decided(layer()).layers.reason
    assert 'first 2' in reason and 'last 6' in reason and '91 %' in reason


def test_a_decision_says_what_supports_it(monkeypatch):
    monkeypatch.setattr(recommendation, 'EVIDENCE', {('remedy', 'projector'): 'a study'})
    found = {d.part: d.as_dict()['supported_by'] for d in decided(layer()).decisions}
    assert found == dict(
        target=UNSUPPORTED, layers=UNSUPPORTED, remedy='a study', width=UNSUPPORTED
    )


@pytest.mark.parametrize(('images', 'num_high'), [('cells', 3), ('digits', 3)])
def test_the_evidence_that_it_names(images, num_high):
    """The recorded runs: WideLast errs less where the floor is high, and only there."""
    assert recommendation.EVIDENCE.keys() == {('remedy', 'projector'), ('remedy', 'widelast')}
    runs = json.loads((DOCS / f'recommend/{images}.json').read_text())['runs']
    high = []
    for width in sorted({name.split('_')[1] for name in runs}):
        best = 'advised' if f'advised_{width}' in runs else 'projector'
        projectors, widelasts = (
            [
                seed['compared']['pair_0']
                for seed in runs[f'{name}_{width}']['features'].values()
            ]
            for name in (best, 'widelast')
        )
        pairs = zip(projectors, widelasts, strict=True)
        gains = [projector['rel_error'] - other['rel_error'] for projector, other in pairs]
        floor = projectors[0]['floor'] / projectors[0]['mean_token']  # of the variance
        if floor > recommendation.MAX_FLOOR:
            high.append(width)
            assert min(gains) > 0.02  # in every seed
        else:
            assert sum(gains) / len(gains) < 0.01
    assert len(high) == num_high


def test_a_student_as_wide_as_the_teacher_needs_no_remedy():
    remedy = decided(layer(), student=WIDTH).remedy
    assert remedy.value == 'projector' and 'pooling' not in remedy.reason


@pytest.mark.parametrize('student', [0, WIDTH + 1])
def test_a_student_without_a_floor(student):
    with pytest.raises(ValueError, match=f'student_width={student}: wanted 1 to 256'):
        decided(layer(), student=student)
