"""The runner's entries equal those of measures fed by hand, within any memory limit."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.features.extractor import FeatureExtractor
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
from mmvitkd.analysis.functional.token_entropy import TokenEntropy
from mmvitkd.analysis.functional.width_floor import WidthFloor
from mmvitkd.analysis.measures.settings import Settings
from mmvitkd.analysis.runner.feature_writer import FeatureWriter
from mmvitkd.analysis.runner.measure_runner import MeasureRunner
from mmvitkd.datasets.image_batches import ImageBatch

import numpy as np
import pytest
import torch
from live_bytes import LiveBytes
from mmengine.registry import MODELS
from shipped_measures import SHIPPED
from tokens import numbers
from toy import timm_vit

PATHS = [f'{i}.png' for i in range(9)]
ALL = tuple(SHIPPED)
QUICK = ('svd', 'pca', 'entropy')


def run(source, batches, measures=QUICK, num_classes=5, save=None, **settings):
    watched = []

    def watch(batches, name):
        watched.append(name)
        return batches

    settings = Settings(measures, **settings)
    runner = MeasureRunner(source, batches, PATHS, settings, 4, num_classes, watch, save)
    measured = runner.run()
    two = {'pca', 'rotation', 'entropy'} & {*measures}
    assert watched == ['first pass', 'second pass'][: 1 + bool(two)]
    return measured


@pytest.fixture
def features(model, images):
    """The patch tokens of all blocks, as timm gives them."""
    with torch.no_grad():
        return model.model.forward_intermediates(
            images, output_fmt='NLC', intermediates_only=True
        )


def fed(measure, *features, **more):
    measure.update(*features, **more)
    return measure.result()


def by_hand(features, i, seed, centered=False, judged=slice(None), fitted=slice(None)):
    """What the report is to say of a block, but for CKA and gradients."""
    own = features[i]
    svd = fed(SVDDimensions(), own)
    moment = SecondMoment()
    moment.update(own[fitted])
    basis = moment.basis(centered)
    of_basis = own[judged]
    low, high = (x.item() for x in torch.stack(features).aminmax())
    rotation = SubspaceRotation(len(of_basis), basis, seed=seed)
    extra = dict(held_out=len(of_basis) < len(own), num_images=len(of_basis))
    rank = svd.pop('effective_rank')
    floor = WidthFloor()
    floor.update(own)
    return {
        'module': f'model.blocks.{i}',
        'num_tokens': 16,
        'embed_dims': 32,
        'zero_tokens': 0,
        'svd': svd,
        'effective_rank': rank,
        'pca': {**fed(PCADimensions(basis), of_basis), **extra},
        'rotation': {**fed(rotation, of_basis, indices=range(len(of_basis))), **extra},
        'sep': {
            'full': fed(SEP('full'), own),
            'folded': fed(SEP('folded'), own),
            'permuted': fed(SEPPermutation(seed=seed), own),
            'null': null_sep(32, seed=seed),
            'null_folded': null_sep(32, 'folded', seed=seed),
        },
        'sorted_energy': fed(SortedChannelEnergy(), own),
        'participation_ratio': fed(ParticipationRatio(), own),
        'floor': floor.result([8, 16]),
        'subspace_floor': {'10': fed(SubspaceFloor(10), own)},
        **fed(ChannelSpectrum(), own),
        'entropy': {**fed(TokenEntropy(low, high), own), 'low': low, 'high': high, 'bins': 100},
        'activation_magnitude': fed(Magnitude(), own),
    }


def approx(result):
    return pytest.approx(numbers(result), rel=1e-9, abs=1e-9)


def test_every_measure_of_every_block(source, batches, features):
    """Gradients are compared with autograd in test_gradient_pass.py."""
    measured = run(source, batches(), ALL, seed=7)
    assert measured.indices == list(range(9)) and list(measured.blocks) == [0, 1, 2, 3]
    cka = fed(LinearCKA(), *features)
    for i, entry in measured.blocks.items():
        assert entry.keys() > {e for measure in SHIPPED.values() for e in measure.entries}
        found = entry.pop('cka')
        others = [j for j in range(4) if j != i]
        assert found['to'] == pytest.approx({str(j): cka['matrix'][i][j] for j in others})
        assert entry.pop('gradient_magnitude')['score'] == 'labels'
        assert numbers(entry) == approx(by_hand(features, i, seed=7))


def test_centred(source, batches, features):
    measured = run(source, batches(), ('pca', 'rotation'), centered=True)
    for i, entry in measured.blocks.items():
        wanted = by_hand(features, i, 2026, centered=True)
        for name in ('pca', 'rotation'):
            assert numbers(entry[name]) == approx(wanted[name]) and entry[name]['centered']


def test_a_basis_of_one_half_is_evaluated_on_the_other(source, batches, features):
    fitted, judged = slice(0, None, 2), slice(1, None, 2)
    measured = run(source, batches(), ('pca', 'rotation', 'entropy'), held_out=True)
    for i, entry in measured.blocks.items():
        wanted = by_hand(features, i, 2026, judged=judged, fitted=fitted)
        for name in ('pca', 'rotation', 'entropy'):
            assert numbers(entry[name]) == approx(wanted[name])
        assert entry['pca']['held_out'] and entry['pca']['num_images'] == 4


@pytest.mark.parametrize('name', SHIPPED)
def test_each_measure_alone(name, source, batches):
    found = run(source, batches(), (name,)).blocks[0]
    about = {'module', 'num_tokens', 'embed_dims', 'zero_tokens'}
    assert found.keys() - about == set(SHIPPED[name].entries)
    if 'sep' in found:
        modes = ['full', 'folded', 'null', 'null_folded']
        assert list(found['sep']) == (['permuted'] if name == 'permutation' else modes)


@pytest.mark.parametrize('size', [1, 3, 9])
def test_batches_of_any_size(source, batches, size):
    wanted = run(source, batches(), ALL).blocks
    found = run(source, batches(size), ALL).blocks
    assert all(numbers(found[key]) == approx(wanted[key]) for key in wanted)


# The features of 9 images at 4 blocks are 144 KiB; what the measures gather is less.
LIMITS = {'memory': 2**30, 'second forward pass': 320 * 1024, 'spill': 320 * 1024}


@pytest.mark.parametrize('where', LIMITS)
def test_wherever_features_are_kept(where, source, batches, tmp_path):
    wanted = run(source, batches())
    spill = str(tmp_path) if where == 'spill' else None
    found = run(source, batches(), memory_limit=LIMITS[where], spill=spill)
    assert (wanted.kept, wanted.forward_passes) == ('memory', 1)
    assert (found.kept, found.forward_passes) == (where, 1 + (where == 'second forward pass'))
    for key, entry in wanted.blocks.items():
        assert numbers(found.blocks[key]) == approx(entry)
    assert list(tmp_path.iterdir()) == []


def test_one_pass_is_enough_for_measures_that_need_no_other(source, batches):
    measured = run(source, batches(), ('svd', 'sep', 'cka'))
    assert (measured.kept, measured.forward_passes) == ('not needed', 1)
    assert run(source, batches(), ('svd', 'gradient')).forward_passes == 2


@pytest.mark.parametrize(
    ('where', 'limit'), [('memory', 5), ('second forward pass', 3), ('spill', 3)]
)
def test_memory_over_a_bare_forward_pass_stays_under_the_limit(model, where, limit, tmp_path):
    """Limits in MiB. The features of 48 images at 4 blocks are 0.75 MiB."""
    settings = Settings(
        tuple(name for name in SHIPPED if name not in ('permutation', 'gradient')),
        memory_limit=limit * 2**20,
        spill=str(tmp_path) if where == 'spill' else None,
    )
    with torch.no_grad(), LiveBytes() as bare:
        for batch in Read(48, 8):
            model(batch.images)
    source, paths = FeatureExtractor(model, 'all'), [f'{i}.png' for i in range(48)]
    with LiveBytes() as live:
        measured = MeasureRunner(source, Read(48, 8), paths, settings, 8).run()
    assert measured.kept == where
    taken = (live.peak - bare.peak) / 2**20
    assert limit / 8 < taken < limit


class Read:
    """Batches that are made as they are asked for."""

    def __init__(self, num_images, size):
        self.num_images, self.size = num_images, size

    def __iter__(self):
        generator = torch.Generator().manual_seed(0)
        for indices in torch.arange(self.num_images).split(self.size):
            shape = (len(indices), 3, 32, 32)
            images = torch.randn(shape, generator=generator, dtype=torch.float64)
            yield ImageBatch(images, None, indices)


def spoil(model, block, value, only=None):
    """Have a block hand over a value in one channel, of all images or of those given."""

    def hook(module, args, output):
        output = output.clone()
        rows = slice(None) if only is None else (args[0][:, 1, 0] == only).nonzero()
        output[rows, 5, 3] = value
        return output

    return model.model.blocks[block].register_forward_hook(hook)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_features_that_are_not_finite_stop_it(source, batches, model, value):
    inputs = []
    with torch.no_grad():
        hook = model.model.blocks[2].register_forward_hook(
            lambda module, args, output: inputs.append(args[0][:, 1, 0])
        )
        for batch in batches():
            model(batch.images)
        hook.remove()
    spoil(model, 2, value, only=inputs[1][2])
    message = r'block 2 \(model\.blocks\.2\): NaN or infinite features of 6\.png'
    with pytest.raises(ValueError, match=message):
        run(source, batches())


def test_zero_tokens_are_counted_and_left_out(source, batches, model):
    def hook(module, args, output):
        output = output.clone()
        output[:, 3] = 0
        return output

    model.model.blocks[1].register_forward_hook(hook)
    blocks = run(source, batches(), ('sep', 'energy', 'permutation')).blocks
    assert [blocks[i]['zero_tokens'] for i in range(4)] == [0, 9, 0, 0]
    parts = {**blocks[1]['sep'], 'sorted_energy': blocks[1]['sorted_energy']}
    for name, part in parts.items():
        assert part['zero_tokens'] == (0 if name.startswith('null') else 9)
    assert blocks[1]['sep']['full']['num_tokens'] == 9 * 15


@pytest.mark.parametrize(
    ('measure', 'message'),
    [
        ('sep', 'block 3: sep: nothing measured: of 144 tokens, none has any energy'),
        ('svd', 'block 3: svd: nothing measured: of 9 images, none has any energy'),
        ('pca', 'block 3: pca: nothing measured: of 9 images, none has any energy'),
    ],
)
def test_a_block_without_any_energy_is_named(source, batches, model, measure, message):
    model.model.blocks[3].register_forward_hook(lambda m, args, out: torch.zeros_like(out))
    with pytest.raises(ValueError, match=message):
        run(source, batches(), (measure,))


def test_too_few_images(source, batches, images):
    with pytest.raises(ValueError, match=r'none of the 9 images can be read'):
        run(source, [])
    with pytest.raises(ValueError, match=r'of 9 images 1 can be read; wanted 2 or more'):
        run(source, batches(of=images[:1]))
    assert run(source, batches(of=images[:2])).indices == [0, 1]
    with pytest.raises(ValueError, match=r'held_out: of 9 images 3 can be read; wanted 4'):
        run(source, batches(of=images[:3]), held_out=True)
    assert run(source, batches(of=images[:4]), ('rotation',), held_out=True)
    assert run(source, batches(of=images[:3]), ('svd',), held_out=True)


def test_images_that_cannot_be_read_leave_gaps(source, batches, images, features):
    left = [0, 1, 3, 4, 8]
    cut = [
        batch._replace(indices=torch.tensor(left)[batch.indices])
        for batch in batches(2, of=images[left])
    ]
    measured = run(source, cut, ('pca', 'rotation'), held_out=True)
    assert measured.indices == left
    halves = dict(fitted=slice(0, None, 2), judged=slice(1, None, 2))
    for i, entry in measured.blocks.items():
        wanted = by_hand([x[left] for x in features], i, 2026, **halves)
        assert numbers(entry['rotation']) == approx(wanted['rotation'])


@pytest.mark.parametrize(
    ('second', 'path'),
    [([0, 1, 2, 3, 4, 7], '5.png'), ([0, 1, 2, 3, 4, 5, 6], '7.png'), ([], '0.png')],
)
def test_a_folder_that_changes_between_passes(source, batches, images, second, path):
    class Changing:
        def __init__(self):
            again = [
                batch._replace(indices=torch.tensor(second)[batch.indices])
                for batch in batches(of=images[second])
            ]
            self.passes = [batches(), again]

        def __iter__(self):
            return iter(self.passes.pop(0))

    with pytest.raises(ValueError, match=rf'{path}: this image could be read in one pass and'):
        run(source, Changing(), memory_limit=LIMITS['second forward pass'])


def test_fewer_tokens_than_a_subspace_has_dimensions(batches):
    model = MODELS.build({**timm_vit(), 'patch_size': 16}).double()
    measured = run(FeatureExtractor(model, 'last'), batches(), ('rotation',))
    assert measured.blocks[3]['rotation']['d'] == 4


def test_autocast_is_of_the_model_alone(source, batches, model):
    dtypes = []
    model.float().model.blocks[0].mlp.fc1.register_forward_hook(
        lambda module, args, output: dtypes.append(output.dtype)
    )
    single = [batch._replace(images=batch.images.float()) for batch in batches()]
    wanted = run(source, single, ALL).blocks
    assert set(dtypes) == {torch.float32}
    dtypes.clear()
    found = run(source, single, ALL, amp=True).blocks
    assert set(dtypes) == {torch.bfloat16}
    for key in wanted:
        rank, same = (blocks[key]['effective_rank']['mean'] for blocks in (wanted, found))
        assert rank != same and rank == pytest.approx(same, rel=0.02)


def test_features_are_saved_as_they_are(source, batches, features, tmp_path):
    with FeatureWriter(tmp_path / 'features', PATHS) as files:
        run(source, batches(), ('svd',), save=files)
    for i, wanted in enumerate(features):
        found = np.load(tmp_path / 'features' / f'{i}.npy')
        assert np.allclose(found, wanted.numpy(), rtol=1e-9, atol=1e-12)
