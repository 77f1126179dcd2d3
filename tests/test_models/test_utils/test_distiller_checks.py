"""An error of a loss names the key that it comes from."""

import mmvitkd  # noqa: F401
from mmvitkd.models.utils.distiller_checks import check_losses
from mmvitkd.utils.errors import KeyedValueError

import pytest


@pytest.mark.parametrize(
    ('name', 'key'),
    [
        ('loss_pair_0', 'pair_loss'),
        ('loss_pair_0_sep', 'pair_extra_losses.sep'),
        ('my_loss_pair_0', "distiller.distill_losses['my_loss_pair_0']"),
    ],
)
def test_a_loss_is_named_by_what_it_is_made_from(name, key):
    with pytest.raises(KeyedValueError) as caught:
        check_losses({'distill_losses': {name: {'type': 'Nope'}}})
    assert caught.value.key == f'{key}.type'
