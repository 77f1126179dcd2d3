"""The followed measures are the others', under short names."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.sep import SEP
from mmvitkd.analysis.functional.singular_values import SVDDimensions
from mmvitkd.analysis.runner.layer_measures import LayerMeasures, layer_scalars

import pytest
import torch
from splits import check_splits
from tokens import KINDS


@pytest.mark.parametrize('kind', KINDS)
def test_the_scalars_are_those_of_the_measures(kind):
    features = KINDS[kind]()
    parts = {'full': SEP('full'), 'folded': SEP('folded'), 'svd': SVDDimensions()}
    ours = LayerMeasures()
    for measure in (ours, *parts.values()):
        measure.update(features)
    found = layer_scalars(ours.result())
    wanted = {name: measure.result() for name, measure in parts.items()}
    for mode in ('full', 'folded'):
        for key in ('0.50', '0.60', '0.70', '0.80', '0.90'):
            scalar = found.pop(f'{mode}_b{key[2:]}')
            assert scalar == wanted[mode]['bandwidth'][key]
    assert found == {
        'effective_rank': wanted['svd']['effective_rank']['mean'],
        'svd99': wanted['svd']['0.99']['mean'],
        'svd99_p99': wanted['svd']['0.99']['p99'],
    }


def test_any_split_gives_the_same():
    check_splits(LayerMeasures, KINDS['random']())


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_features_must_be_finite(value):
    features = KINDS['random']()
    features[2, 3, 4] = value
    with pytest.raises(ValueError, match='NaN or infinite'):
        LayerMeasures().update(features)


def test_tokens_without_energy_have_no_measure():
    measures = LayerMeasures()
    measures.update(torch.zeros(2, 4, 8))
    with pytest.raises(ValueError, match='nothing measured'):
        measures.result()
