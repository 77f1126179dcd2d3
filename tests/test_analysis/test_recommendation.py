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


def layer(decay=0.95, mean_share=0.2, largest=0.05, norm=16.0, standardised=None):
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
    found = decided(layer(decay=0.95))  # 1.1 * 0.95 ** 63 = 4.3 %
    assert (found.remedy.value, found.width.value) == ('projector', '64')
    assert '4.3 %' in found.remedy.reason and 'discards 50 %' in found.remedy.reason


def test_a_projector_behind_a_layer_norm_has_one_channel_less():
    last = layer()
    curve = [0.04] * (WIDTH + 1)
    curve[63] = 0.06
    last['centred']['held_out'] = curve
    assert decided(last).remedy.value == 'widelast'
    assert decided(last, wide_output=True).remedy.value == 'lift'


def test_a_wider_last_block_where_the_width_limits_the_student():
    found = decided(layer(decay=0.98), head_size=32)  # 1.1 * 0.98 ** 153 = 5 %
    assert found.remedy.value == 'widelast'
    assert '31 %' in found.remedy.reason and 'Lift' in found.remedy.reason
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


@pytest.mark.parametrize('images', ['cells', 'digits'])
def test_where_the_floor_is_high_widelast_was_better(images):
    """What the tool names as its evidence, in the recorded runs: in every seed."""
    assert recommendation.EVIDENCE.keys() == {('remedy', 'widelast')}
    runs = json.loads((DOCS / f'recommend/{images}.json').read_text())['runs']
    supported = 0
    for name, run in runs.items():
        remedy, width = name.split('_')
        for seed, features in run['features'].items():
            projector = runs[f'projector_{width}']['features'][seed]['compared']['pair_0']
            share = projector['floor'] / projector['mean_token']  # of the variance
            if remedy == 'widelast' and share > recommendation.MAX_FLOOR:
                found = features['compared']['pair_0']
                assert found['rel_error'] < projector['rel_error'] - 0.02
                assert found['readout_r2'] > projector['readout_r2']
                supported += 1
    assert supported == {'cells': 2, 'digits': 6}[images]  # two widths, by seeds


def test_a_student_as_wide_as_the_teacher_needs_no_remedy():
    remedy = decided(layer(), student=WIDTH).remedy
    assert remedy.value == 'projector' and 'pooling' not in remedy.reason


@pytest.mark.parametrize('student', [0, WIDTH + 1])
def test_a_student_without_a_floor(student):
    with pytest.raises(ValueError, match=f'student_width={student}: wanted 1 to 256'):
        decided(layer(), student=student)
