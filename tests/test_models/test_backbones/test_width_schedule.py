"""block_widths: every schedule, explicit lists, every error."""

import mmvitkd  # noqa: F401
from mmvitkd.models.backbones.width_schedule import block_widths

import pytest

TINY = dict(embed_dims=192, num_heads=3, num_layers=12)


@pytest.mark.parametrize(
    ('schedule', 'num_wide_blocks', 'widths', 'heads'),
    [
        (None, 1, [384], [6]),
        ('heads_step', 1, [384], [6]),
        ('heads_step', 2, [384, 384], [6, 6]),
        ('fixed_step', 1, [384], [3]),
        ('heads_linear', 1, [384], [6]),
        ('heads_linear', 3, [256, 320, 384], [4, 5, 6]),
        ('fixed_linear', 3, [240, 312, 384], [3, 3, 3]),
    ],
)
def test_schedules(schedule, num_wide_blocks, widths, heads):
    found = block_widths(TINY, 384, num_wide_blocks=num_wide_blocks, schedule=schedule)
    narrow = 12 - num_wide_blocks
    assert found == ([192] * narrow + widths, [3] * narrow + heads)


def test_every_block_can_be_wide():
    assert block_widths(TINY, 384, num_wide_blocks=12) == ([384] * 12, [6] * 12)


@pytest.mark.parametrize(
    ('width', 'num_heads', 'widths', 'heads'),
    [
        ([256, 384], None, [256, 384], [4, 6]),
        ([256, 384], 8, [256, 384], [8, 8]),
        ([256, 384], [4, 12], [256, 384], [4, 12]),
        (384, [4, 12], [384, 384], [4, 12]),
        (384, 12, [384, 384], [12, 12]),
        ((219, 384), (3, 6), [219, 384], [3, 6]),
    ],
)
def test_explicit_lists(width, num_heads, widths, heads):
    found = block_widths(TINY, width, num_heads, num_wide_blocks=2)
    assert found == ([192] * 10 + widths, [3] * 10 + heads)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(width=384, num_wide_blocks=0), 'num_wide_blocks=0 must lie between 1 .* 12'),
        (dict(width=384, num_wide_blocks=13), 'num_wide_blocks=13 must lie between 1 .* 12'),
        (
            dict(width=384, schedule='cosine'),
            r"'cosine' is none of \['heads_step', 'fixed_step', 'heads_linear', 'fix",
        ),
        (
            dict(width=[320, 384], num_wide_blocks=2, schedule='heads_step'),
            r"width=\[320, 384\] contradicts schedule='heads_step'.* \[384, 384\]",
        ),
        (
            dict(width=384, num_heads=6, schedule='fixed_step'),
            "num_heads=6 contradicts schedule='fixed_step', which makes it .3",
        ),
        (dict(width=[256, 384]), 'width=.* has 2 entries, but num_wide_blocks=1'),
        (
            dict(width=[256, 384], num_heads=[4], num_wide_blocks=2),
            r'num_heads=\[4\] has 1 entries, but num_wide_blocks=2',
        ),
        (dict(width=400), "width=400 .* head size, 64; .*schedule='fixed_step'"),
        (dict(width=400, schedule='fixed_step'), 'width=400 .*num_heads=3'),
        (dict(width=384, num_heads=5), 'width=384 of block 11 .* num_heads=5'),
        (dict(width=384, num_heads=0), 'width=384 of block 11 .* num_heads=0'),
        (dict(width=128), 'width=128 of block 11 is below .*embed_dims=192'),
        (
            dict(width=384, num_wide_blocks=2, schedule='heads_linear'),
            "width=384 .*'heads_linear': 2 equal steps .* head size 64.* of 128",
        ),
        (
            dict(width=396, num_wide_blocks=3, schedule='fixed_linear'),
            "width=396 .*'fixed_linear'.* 8 x 3 heads.* one of 24",
        ),
    ],
)
def test_errors_name_the_key(kwargs, message):
    with pytest.raises(ValueError, match=message):
        block_widths(TINY, **kwargs)


@pytest.mark.parametrize('width', [384.0, '384', [384.0], None])
def test_a_width_is_an_int(width):
    with pytest.raises(TypeError, match='width must be an int or a list of ints'):
        block_widths(TINY, width)


def test_the_base_must_divide_into_heads():
    arch = dict(TINY, num_heads=5)
    with pytest.raises(ValueError, match=r'width=192 of block 0 .*num_heads=5'):
        block_widths(arch, 384, num_heads=6)


@pytest.mark.parametrize(
    ('schedule', 'num_wide_blocks', 'num_heads'),
    [
        ('heads_step', 1, 6),
        ('fixed_step', 2, 3),
        ('heads_linear', 3, 6),
        ('heads_linear', 3, [4, 5, 6]),
        ('fixed_linear', 3, 3),
    ],
)
def test_a_schedule_and_the_heads_it_makes_agree(schedule, num_wide_blocks, num_heads):
    wanted = block_widths(TINY, 384, None, num_wide_blocks, schedule)
    assert block_widths(TINY, 384, num_heads, num_wide_blocks, schedule) == wanted
