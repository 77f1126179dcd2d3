"""Layer choice: the published pairs, and splits that a curve asks for."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.layer_selection import choose_layers

import pytest

PUBLISHED = [(0, 0), (1, 1), *zip(range(6, 12), range(18, 24), strict=True)]
# A U whose two first and six last blocks stand out, as is published of CaiT.
CAIT = [9, 8, 4, 3.5, 3, 2.5, 2, 2, 2, 2, 2, 2, 2.5, 2.5, 3, 3, 3.5, 4, 6, 7, 8, 9, 10, 12]


def test_a_curve_like_caits_gives_the_published_pairs():
    choice = choose_layers(CAIT, student_depth=12)
    assert (choice.first, choice.last) == (2, 6)
    assert choice.pairs == PUBLISHED
    assert choice.captured_share == 1


def test_the_published_split_can_be_asked_for():
    choice = choose_layers(range(1, 25), student_depth=12, first=2)
    assert choice.pairs == PUBLISHED
    assert choice.captured_share == pytest.approx(
        (1 + 2 + sum(range(19, 25))) / sum(range(17, 25))
    )


def test_all_stages_of_swin_are_paired():
    for curve in ([1, 2, 3, 4], [4, 1, 1, 4]):
        assert choose_layers(curve, student_depth=4).pairs == [(i, i) for i in range(4)]


def test_the_split_is_that_with_the_largest_sum():
    for curve, first in [
        ([1, 2, 3, 4, 5, 6], 0),
        ([6, 5, 4, 3, 2, 1], 3),
        ([5, 5, 1, 1, 1, 6], 2),
        ([3, 1, 1, 1, 1, 3], 1),
    ]:
        choice = choose_layers(curve, student_depth=5, num_pairs=3)
        assert (choice.first, choice.last) == (first, 3 - first)
        assert [t for _, t in choice.pairs] == [*range(first), *range(6 - 3 + first, 6)]
        assert [s for s, _ in choice.pairs] == [*range(first), *range(5 - 3 + first, 5)]
        assert choice.captured_share == 1


def test_of_equal_splits_that_with_fewest_at_the_front_is_taken():
    assert choose_layers([0.1] * 24, student_depth=12).first == 0


def test_intense_blocks_in_the_middle_lower_the_captured_share():
    choice = choose_layers([1, 1, 10, 1, 1], student_depth=5, num_pairs=2)
    assert choice.captured_share == pytest.approx(2 / 11)


@pytest.mark.parametrize(('student', 'teacher'), [(3, 12), (12, 3), (1, 1)])
def test_small_models_have_fewer_pairs(student, teacher):
    choice = choose_layers([1.0] * teacher, student)
    assert len(choice.pairs) == min(student, teacher)
    assert choice.pairs[-1] == (student - 1, teacher - 1)


@pytest.mark.parametrize('curve', [[], [0, 0], [1, -1], [1, float('nan')], [float('inf')]])
def test_invalid_intensities_are_refused(curve):
    with pytest.raises(ValueError, match='intensities: found'):
        choose_layers(curve, 12)


@pytest.mark.parametrize(
    ('numbers', 'found'),
    [
        (dict(student_depth=0), 'student_depth=0'),
        (dict(student_depth=3, num_pairs=0), 'num_pairs=0'),
        (dict(student_depth=3, first=4), 'first=4: wanted 0 to 3'),
        (dict(student_depth=3, first=-1), 'first=-1: wanted 0 to 3'),
    ],
)
def test_numbers_out_of_range_are_refused(numbers, found):
    with pytest.raises(ValueError, match=found):
        choose_layers([1, 2, 3, 4], **numbers)
