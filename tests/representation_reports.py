"""Build reports of representations as the tool does, from synthetic features of any size."""

import math

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.channel_energy import ParticipationRatio, SortedChannelEnergy
from mmvitkd.analysis.functional.channel_spectrum import ChannelSpectrum
from mmvitkd.analysis.functional.linear_cka import LinearCKA
from mmvitkd.analysis.functional.mean_magnitude import Magnitude
from mmvitkd.analysis.functional.principal_components import PCADimensions, SecondMoment
from mmvitkd.analysis.functional.sep_null import null_sep
from mmvitkd.analysis.functional.sep_permutation import SEPPermutation
from mmvitkd.analysis.functional.singular_values import SVDDimensions
from mmvitkd.analysis.functional.spectral_energy import SEP
from mmvitkd.analysis.functional.subspace_floor import SubspaceFloor
from mmvitkd.analysis.functional.subspace_rotation import SubspaceRotation
from mmvitkd.analysis.functional.token_entropy import TokenEntropy, ValueRange
from mmvitkd.analysis.functional.width_floor import WidthFloor

import torch

SIZES = dict(num_images=12, num_tokens=16, width=24)


def features_of(depth, num_images, num_tokens, width, seed=0):
    """Tokens at a depth in [0, 1]: images in few directions of their own about one mean.

    Their magnitude falls, then rises; later blocks have more directions.
    """
    generator = torch.Generator().manual_seed(1000 * seed + round(100 * depth))

    def randn(*shape):
        return torch.randn(*shape, generator=generator)

    rank = 2 + round(depth * min(num_tokens, width) / 3)
    shared = randn(rank, width)
    own = shared + 1.5 * randn(num_images, rank, width)
    energies = torch.linspace(3, 0.3, rank)
    tokens = randn(num_images, num_tokens, rank) * energies @ own / math.sqrt(rank)
    mean = 2 * randn(width) + 12 * (torch.arange(width) == width // 3)
    scale = 0.5 + 2 * (depth - 0.4) ** 2
    return scale * (tokens + mean + 0.3 * randn(num_images, num_tokens, width))


def measured(measure, features):
    measure.update(features)
    return measure.result()


def block_report(features, entropy):
    """All measures of one block."""
    moment = SecondMoment()
    moment.update(features)
    basis = moment.basis()
    rotation = SubspaceRotation(len(features), basis, d=4, num_pairs=60)
    rotation.update(features, range(len(features)))
    svd = measured(SVDDimensions(), features)
    floor = WidthFloor()
    floor.update(features)
    permutation = SEPPermutation(num_orders=8, num_resamples=20)
    return {
        'num_tokens': features.shape[1],
        'embed_dims': features.shape[2],
        'zero_tokens': 0,
        'effective_rank': svd.pop('effective_rank'),
        'svd': svd,
        'pca': measured(PCADimensions(basis), features),
        'rotation': rotation.result(),
        'sep': {
            'full': measured(SEP(), features),
            'folded': measured(SEP('folded'), features),
            'permuted': measured(permutation, features),
            'null': null_sep(features.shape[2], num_tokens=256),
            'null_folded': null_sep(features.shape[2], 'folded', num_tokens=256),
        },
        'sorted_energy': measured(SortedChannelEnergy(), features),
        'floor': floor.result([features.shape[2] // 2]),
        'subspace_floor': {'4': measured(SubspaceFloor(4), features)},
        'participation_ratio': measured(ParticipationRatio(), features),
        **measured(ChannelSpectrum(), features),
        'entropy': measured(entropy, features),
        'activation_magnitude': measured(Magnitude(), features),
        'gradient_magnitude': {
            **measured(Magnitude(), features.flip(0) / 1e3),
            'score': 'predictions',
        },
    }


def cka_report(features, key, other):
    """The similarity of a block to another."""
    cka = LinearCKA()
    cka.update(features[key], features[other])
    found = cka.result()
    return {
        **{name: found[name] for name in ('rows', 'num_rows')},
        'to': {other: found['cka']},
        'null': {other: found['null'][0][1]},
    }


def report(blocks=('0', '1', '2'), widths=None, seed=0, model='timm:toy', **sizes):
    """The report of a model.

    Args:
        blocks: Keys of the blocks.
        widths: Of some blocks, by their keys, if they have others than most.
        seed: Of the features.
        model: What the model is called.
        **sizes: As ``SIZES``.
    """
    sizes = SIZES | sizes
    features = {}
    for place, key in enumerate(blocks):
        own = sizes | dict(width=(widths or {}).get(key, sizes['width']))
        features[key] = features_of(place / max(1, len(blocks) - 1), **own, seed=seed)
    values = ValueRange()
    for each in features.values():
        values.update(each)
    entries = {
        key: block_report(each, TokenEntropy(**values.result()))
        for key, each in features.items()
    }
    for key in blocks[:-1]:
        entries[key]['cka'] = cka_report(features, key, blocks[-1])
    return {
        'model': model,
        'checkpoint': None,
        'provenance': f'{model}, made up',
        'random_weights': False,
        'num_images': sizes['num_images'],
        'num_tokens': sizes['num_tokens'],
        'embed_dims': entries[blocks[-1]]['embed_dims'],
        'settings': {'blocks': [*blocks], 'measures': ['svd', 'pca'], 'seed': 2026},
        'versions': {'torch': '2'},
        'images': {'folder': 'data/images', 'found': sizes['num_images'], 'unreadable': []},
        'blocks': entries,
    }
