"""What ranks say of themselves tells which of them is stuck."""

from mmvitkd.utils.heartbeats import Beat, Heartbeats, find_stuck

import pytest


def beats(**ranks):
    """Beats by rank: `r0=(count, step)`."""
    return {
        int(name[1:]): given and Beat(given[0], given[1], f'at {given[1]}', 'node', *given[2:])
        for name, given in ranks.items()
    }


@pytest.mark.parametrize(
    ('earlier', 'later', 'wanted'),
    [
        (
            beats(r0=(1, 5), r1=(7, 4)),
            beats(r0=(2, 5), r1=(7, 4)),
            'No sign of life from rank 1 (host node, process 0), last at 4. '
            'The other ranks wait: at 5.',
        ),
        (
            beats(r0=(1, 5), r1=(7, 4), r2=(1, 5)),
            beats(r0=(2, 5), r1=(8, 4), r2=(2, 5)),
            'Stuck: rank 1 (host node, process 0): at 4. The other ranks wait: at 5.',
        ),
        (
            beats(r0=(1, 5), r1=None),
            beats(r0=(2, 5), r1=None),
            'No sign of life from rank 1 (not started). The other ranks wait: at 5.',
        ),
        (
            beats(r0=(1, 5), r1=(2, 5, 0, True)),  # its own watchdog has ended it meanwhile
            beats(r0=(2, 5), r1=(2, 5, 0, True)),
            'All ranks are stuck: at 5.',
        ),
        (beats(r0=(1, 5)), beats(r0=(2, 5)), 'Stuck: rank 0 (host node, process 0): at 5.'),
    ],
    ids=['silent', 'behind', 'never there', 'ended', 'alone'],
)
def test_who_is_stuck(earlier, later, wanted):
    assert find_stuck(earlier, later) == wanted


def test_a_store_that_does_not_answer():
    assert 'store' in find_stuck(beats(r0=(1, 5)), {})


def test_one_process_reads_what_it_said():
    heartbeats = Heartbeats()
    assert heartbeats.read() == {0: None}
    heartbeats.beat(3, 'in train iteration 2')
    heartbeats.beat(3, 'in train iteration 2')
    beat = heartbeats.read()[0]
    assert (beat.beats, beat.step, beat.place) == (2, 3, 'in train iteration 2')
