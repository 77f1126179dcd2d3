"""The Markdown of a recommendation: its tables, and names that must not become Markdown."""

import mmvitkd  # noqa: F401
from mmvitkd.apis.recommendation_text import recommendation_text

import pytest

FLOORS = dict(in_sample=[1.0, 0.25, 0.0], held_out=[1.0, 0.375, 0.0], pooled={'1': 0.5125})
LAYER = dict(
    raw=FLOORS,
    centred=FLOORS,
    standardised=FLOORS,
    mean_share=0.1234,
    largest=dict(channels=[1], energy=0.6, variance=0.625),
    token_norm=dict(mean=2.5, std=0.1, layer_norm=1.41),
)


@pytest.fixture
def report():
    decision = dict(part='remedy', value='lift', reason='a_b is <b>.', supported_by='nothing')
    error = dict(rel_error=0.4, mean_token=0.8, r2=0.5, floor=0.25, width=1, is_bound=False)
    return dict(
        teacher=dict(
            provenance='*stars*.py', depth=2, width=2, num_tokens=9, random_weights=False
        ),
        student=dict(name='deit_tiny', width=1),
        images=dict(folder='photos', num_images=1200, num_classes=None, unreadable=['x|y.png']),
        decisions=[decision],
        config='_base_ = 1\n',
        costs={'recommended': dict(parameters=1234, macs=5e6, added_share=None)},
        layers={'0': LAYER, '1': LAYER, 'final norm': LAYER},
        spectral=[(0, 0)],
        trained=dict(
            checkpoint='epoch.pth',
            num_images=7,
            unreadable=['held_out.png'],
            layers={'pair_1': error},
        ),
    )


def test_the_numbers_are_in_the_tables(report):
    text = recommendation_text(report)
    assert (
        '| block 1 | 25 / 37.5 | 25 / 37.5 | 25 / 37.5 | 51.2 | 12.3 | 62.5 | 2.5 / 1.4' in text
    )
    assert '| recommended | 1,234 | 5.0 | ? |' in text
    assert '40 | 25 | 80 | 0.500 | not bound' in text
    assert '| 1 | 25 / 37.5' in text and '1,200 images' in text and 'without labels' in text
    assert '```python\n_base_ = 1\n```' in text
    assert 'random' not in text


def test_images_that_cannot_be_read_are_named(report):
    first, second = recommendation_text(report).split('`epoch.pth` on 7 held-out images')
    assert '`x|y.png`' in first and '`held_out.png`' in second


def test_names_are_shown_as_they_are(report):
    text = recommendation_text(report)
    assert '*stars*' not in text and '<b>' not in text and '`x|y.png`' in text


def test_without_a_trained_student(report):
    assert 'trained student' not in recommendation_text(report | dict(trained=None))
