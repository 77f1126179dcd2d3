"""tools/analysis_tools/analyze_representation.py: what it writes, and what it refuses."""

import errno
import json
import os
import re
import signal
import sys
import tempfile
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.principal_components import PCADimensions, SecondMoment
from mmvitkd.analysis.functional.singular_values import SVDDimensions
from mmvitkd.analysis.report import report_dir
from mmvitkd.analysis.report import write_report as report_writer
from mmvitkd.analysis.runner import measure_runner
from mmvitkd.analysis.runner.evaluation import Evaluation
from mmvitkd.analysis.runner.measure_runner import MeasureRunner
from mmvitkd.analysis.runner.memory import SPILL, Plan
from mmvitkd.apis.load_model import load_model
from mmvitkd.registry import MEASURES

import numpy as np
import pytest
import torch
import toy_students
from folders import touch, write_noise
from shipped_measures import SHIPPED
from tokens import numbers
from tool_modules import load_tool
from toy import WIDE_ARCH, vit

NAMES = [f'{c}/{i}.png' for c in ('ant', 'bee', 'cat') for i in range(3)]
SMALL = 'timm:test_vit'  # 160 x 160 pixels, 64 wide, 6 blocks


@pytest.fixture
def images(tmp_path):
    return write_noise(tmp_path / 'images', *NAMES, size=(48, 40, 3))


@pytest.fixture
def config(tmp_path):
    """Writes the config of a training and a checkpoint of its student; returns both."""

    def config(kind):
        cfg = toy_students.training(kind)
        path, checkpoint = tmp_path / f'{kind}.py', tmp_path / f'{kind}.pth'
        path.write_text('\n'.join(f'{k} = {v!r}' for k, v in cfg.to_dict().items()))
        toy_students.save_training(cfg, checkpoint)
        return str(path), str(checkpoint)

    return config


@pytest.fixture
def tool():
    return load_tool('analysis_tools/analyze_representation')


def undrawn(report, folder):
    (folder / 'report.md').write_text('not drawn')


@pytest.fixture
def analyze(tool, images, tmp_path, monkeypatch, capsys):
    """Run the tool; returns its report, what it printed, and the reason it gave for ending.

    Figures, which have tests of their own, are only drawn on request.
    """
    drawn = report_writer.write_report

    def run(model, *options, data_root=images, out=tmp_path / 'out', figures=False):
        if report_writer.write_report in (drawn, undrawn):
            monkeypatch.setattr(report_writer, 'write_report', drawn if figures else undrawn)
        given = [model, '--data-root', data_root, '--out', out, *options]
        if '--workers' not in options:
            given += ['--workers', 0]
        if '--device' not in options:
            given += ['--device', 'cpu']
        monkeypatch.setattr(sys, 'argv', ['analyze', *map(str, given)])
        error = None
        try:
            tool.main()
        except SystemExit as end:
            error = end.code
        file = out / 'report.json'
        report = json.loads(file.read_text()) if error is None else None
        return report, capsys.readouterr().out, error

    return run


def features_of(model, checkpoint, images, names=NAMES):
    """The last block's patch tokens, by a hook of the test's own."""
    loaded = load_model(model, checkpoint)
    found = []
    loaded.model.backbone.layers[-1].register_forward_hook(
        lambda module, args, output: found.append(output[:, 1:])
    )
    inputs = torch.stack([loaded.preprocess(str(images / name)) for name in names])
    with torch.no_grad():
        loaded.model(inputs)
    return found[0]


def test_the_report_of_a_widelast_checkpoint(analyze, config, images, tmp_path):
    model, checkpoint = config('widelast')
    options = ['--checkpoint', checkpoint, '--measures', 'svd', 'pca']
    report, printed, _ = analyze(model, *options, figures=True)
    assert (report['model'], report['checkpoint']) == (model, checkpoint)
    assert (report['num_images'], report['num_tokens'], report['embed_dims']) == (9, 16, 32)
    assert report['num_blocks'] == 3
    assert report['images'] == dict(
        folder=str(images), found=9, num_classes=3, unreadable=[], first_per_class=False
    )
    assert report['settings']['measures'] == ['svd', 'pca']
    assert report['settings']['seed'] == 2026 and report['settings']['blocks'] == ['2']
    assert report['versions'].keys() >= {'python', 'torch', 'timm', 'mmvitkd', 'numpy'}
    assert report['forward_passes'] == 1 and report['random_weights'] is False
    (key,) = report['blocks']
    entry = report['blocks'][key]
    about = {'module', 'num_tokens', 'embed_dims', 'zero_tokens'}
    assert key == '2' and entry.keys() - about == {'svd', 'pca'}
    features = features_of(model, checkpoint, images)
    svd, moment = SVDDimensions(), SecondMoment()
    svd.update(features)
    moment.update(features)
    pca = PCADimensions(moment.basis())
    pca.update(features)
    for name, wanted in (('svd', svd.result()), ('pca', pca.result())):
        for t in ('0.80', '0.90', '0.95', '0.99'):
            assert numbers(entry[name][t]) == pytest.approx(numbers(wanted[t]))
        assert entry[name]['curve'] == pytest.approx(wanted['curve'], rel=1e-5)
    files = sorted(
        path.relative_to(tmp_path / 'out').as_posix()
        for path in (tmp_path / 'out').rglob('*')
        if path.is_file()
    )
    assert report['files'] == files and {'report.json', 'report.md'} < set(files)
    assert any(name.endswith('.png') for name in files)
    assert printed.endswith('report.json, 3 tables, 2 figures\n')


def test_lift_before_and_after_its_projector(analyze, config):
    model, checkpoint = config('lift')
    report, _, _ = analyze(model, '--checkpoint', checkpoint, figures=True)
    assert list(report['blocks']) == ['2', 'neck']
    widths = [entry['embed_dims'] for entry in report['blocks'].values()]
    assert widths == [16, 32] and report['embed_dims'] == 32
    entries = {e for m in SHIPPED.values() for e in m.entries} - {'gradient_magnitude'}
    for key, entry in report['blocks'].items():
        assert entry.keys() >= entries and 'gradient_magnitude' not in entry
        assert list(entry['cka']['to']) == ['neck' if key == '2' else '2']
        assert entry['sep'].keys() == {*('full', 'folded', 'permuted', 'null', 'null_folded')}


def test_whose_report_it_is(analyze, config, tmp_path):
    model, _ = config('ours')
    teacher = str(tmp_path / 'teacher.pth')
    torch.save(toy_students.build(vit(WIDE_ARCH)).state_dict(), teacher)
    options = ['--checkpoint', teacher, '--measures', 'svd', '--teacher']
    report, _, _ = analyze(model, *options, figures=True)
    settings = report['settings']
    assert (settings['teacher'], settings['ema'], settings['img_size']) == (True, False, None)
    heading = (tmp_path / 'out' / 'report.md').read_text().splitlines()[0]
    assert heading == f'# The representation of {report["provenance"]}'
    assert report['provenance'].startswith(f'teacher of {model}, ')


def test_any_model_of_timm(analyze):
    options = ['--allow-random', '--num-images', 3, '--blocks', '0', '-1', '--measures', 'svd']
    report, _, _ = analyze(SMALL, *options)
    assert report['random_weights'] and report['checkpoint'] is None
    assert list(report['blocks']) == ['0', '5'] and report['num_images'] == 3
    assert report['num_tokens'] == 100 and report['settings']['image_size'] == [160, 160]
    smaller, _, _ = analyze(SMALL, *options, '--img-size', 64, '--overwrite')
    assert smaller['num_tokens'] == 16 and smaller['settings']['image_size'] == [64, 64]
    again, _, _ = analyze(SMALL, *options, '--img-size', 64, '--overwrite')
    assert again['blocks'] == smaller['blocks']  # the weights are drawn with the seed
    other, _, _ = analyze(SMALL, *options, '--img-size', 64, '--overwrite', '--seed', 1)
    assert other['blocks'] != smaller['blocks']


def test_the_images_of_distillation_dynamics(analyze):
    """The first class alone, prepared by its transform, at 224 px."""
    options = ['--allow-random', '--img-size', 224, '--measures', 'entropy', 'spectrum']
    report, _, _ = analyze(SMALL, *options, '--images', 'dd')
    assert report['num_images'] == 3 and report['settings']['images'] == 'dd'
    assert report['settings']['image_size'] == [224, 224]
    own, _, _ = analyze(SMALL, *options, '--overwrite')
    assert own['num_images'] == 9 and own['settings']['images'] is None
    for wrong, options in (
        ('--img-size: found 160', ['--images', 'dd', '--img-size', 160]),
        ('--num-images', ['--images', 'dd', '--num-images', 4]),
    ):
        _, _, error = analyze(SMALL, '--allow-random', *options, '--overwrite')
        assert wrong in error


def test_stages_of_a_config_in_bfloat16(analyze, config):
    model, checkpoint = config('swin')
    options = ['--checkpoint', checkpoint, '--blocks', 'all', '--measures', 'cka', 'gradient']
    report, _, _ = analyze(model, *options, '--amp', '--first-per-class')
    assert report['images']['first_per_class'] and report['num_images'] == 3
    first, second = report['blocks'].values()
    assert (first['embed_dims'], second['embed_dims']) == (8, 16)
    assert first['cka']['rows'] == 'images' and report['settings']['amp']
    assert second['gradient_magnitude']['mean'] > 0
    assert second['gradient_magnitude']['score'] == 'predictions'  # 3 classes are not its 5


def test_the_document_names_every_option(analyze, capsys):
    _, help_text, _ = analyze(SMALL, '--help')
    options = set(re.findall(r'--[a-z][a-z-]+', help_text)) - {'--help'}
    document = (Path(__file__).parents[3] / 'docs' / 'analyses.md').read_text()
    assert len(options) > 20 and options <= set(re.findall(r'--[a-z][a-z-]+', document))


OF_MY_OWN = """
from mmvitkd.analysis.measures import Measure
from mmvitkd.registry import MEASURES


@MEASURES.register_module()
class OfMyOwn(Measure):
    name = 'of_my_own'
    meaning = 'always 1'
    entries = ('of_my_own',)
    columns = {'of my own': lambda block: block['of_my_own']}

    def update(self, batch):
        pass

    def result(self):
        return {'of_my_own': 1.0}
"""


@pytest.fixture
def of_my_own(tmp_path, monkeypatch):
    """A module outside the package that registers a measure."""
    (tmp_path / 'of_my_own.py').write_text(OF_MY_OWN)
    monkeypatch.syspath_prepend(tmp_path)
    yield 'of_my_own'
    sys.modules.pop('of_my_own', None)
    MEASURES.module_dict.pop('OfMyOwn', None)


def test_a_measure_outside_the_package(analyze, of_my_own, tmp_path):
    options = ['--allow-random', '--num-images', 2, '--measures', 'of_my_own']
    _, _, error = analyze(SMALL, *options)
    assert "--measures: there is no 'of_my_own'" in error
    _, _, error = analyze(SMALL, *options, '--custom-imports', 'no_such_module')
    assert "--custom-imports: cannot import 'no_such_module'" in error
    report, printed, _ = analyze(SMALL, *options, '--custom-imports', of_my_own, figures=True)
    assert report['blocks']['5']['of_my_own'] == 1.0
    text = (tmp_path / 'out' / 'report.md').read_text()
    assert '| of my own |' in text and 'means over images' not in text
    assert printed.endswith('wrote report.md (read it first), report.json\n')


def test_workers_and_batches_change_nothing(analyze, config):
    model, checkpoint = config('ours')
    options = ['--checkpoint', checkpoint, '--measures', 'svd', 'entropy']
    one, _, _ = analyze(model, *options)
    two, _, _ = analyze(model, *options, '--workers', 2, '--batch-size', 2, '--overwrite')
    assert numbers(two['blocks']) == pytest.approx(numbers(one['blocks']), rel=1e-4)


def test_features_are_saved_on_request(analyze, config, images, tmp_path):
    model, checkpoint = config('ours')
    options = ['--checkpoint', checkpoint, '--measures', 'svd']
    analyze(model, *options, '--save-features')
    found = np.load(tmp_path / 'out' / 'features' / '2.npy')
    wanted = features_of(model, checkpoint, images).numpy()
    assert np.allclose(found, wanted, rtol=1e-4, atol=1e-5)
    report, _, _ = analyze(model, *options, '--overwrite')
    assert not any('features' in name for name in report['files'])


def test_images_that_cannot_be_read_are_named(analyze, config, images):
    touch(images, 'bee/1.png')  # an empty file
    model, checkpoint = config('ours')
    report, printed, _ = analyze(model, '--checkpoint', checkpoint, '--measures', 'svd')
    assert report['images']['unreadable'] == ['bee/1.png'] and report['num_images'] == 8
    assert 'bee/1.png: the file is empty' in printed


# What it refuses ----------------------------------------------------------------------


def broken(kind, images, tmp_path):
    """Arguments, and a part of the line that says what is wrong with them."""
    random = ['--allow-random']
    return {
        'unknown model': (
            ['timm:vit_tinny_patch16_224', *random],
            "has no model 'vit_tinny_patch16_224'",
        ),
        'no such config': (['no/where.py', *random], 'no/where.py'),
        'no weights': (['ours'], ': --checkpoint: none is given'),
        'unknown block': (
            ['ours', *random, '--blocks', 'layer.2'],
            "'layer.2' is not a mod",
        ),
        'no such block': (['ours', *random, '--blocks', '0', '7'], 'there is no 7'),
        'unknown measure': (['ours', *random, '--measures', 'svdd'], 'did you mean svd?'),
        'typed measure': (['ours', *random, '--measures', 'x'], ': --measures: there is no'),
        'cka of one': (['ours', *random, '--measures', 'cka'], 'compares blocks'),
        'no checkpoint': (['ours', '--checkpoint', tmp_path / 'no.pth'], 'no.pth'),
        'no timm checkpoint': (
            [SMALL, '--checkpoint', tmp_path / 'no.pth'],
            f": --checkpoint='{tmp_path / 'no.pth'}'",
        ),
        'no teacher checkpoint': (
            ['ours', '--teacher', '--checkpoint', tmp_path / 'no.pth'],
            f": --checkpoint='{tmp_path / 'no.pth'}'",
        ),
        'few held out': (
            ['ours', *random, '--num-images', '3', '--held-out', '--measures', 'pca'],
            ': --held-out: of 3 images 3 can be read; wanted 4 or more',
        ),
        'little for gradients': (
            [
                SMALL,
                *random,
                '--measures',
                'gradient',
                '--memory-limit',
                '3500KiB',
                '--blocks',
                '0',
            ],
            ': --memory-limit: gradients take ',
        ),
        'one image': (['ours', *random, '--num-images', '1'], 'wanted two or more'),
        'no size': (
            ['ours', *random, '--memory-limit', 'much'],
            "--memory-limit: found 'much'",
        ),
        'little memory': (
            ['ours', *random, '--memory-limit', '9KiB'],
            ': --memory-limit: found 9 KiB',
        ),
        'no device': (['ours', *random, '--device', 'abacus'], "--device: 'abacus'"),
        'no spill': (['ours', *random, '--spill', tmp_path / 'no'], '--spill: '),
        'no batch': (['ours', *random, '--batch-size', '0'], '--batch-size: found 0'),
        'img size': (['ours', *random, '--img-size', '64'], ': --img-size=64 is for timm:N'),
    }[kind]


KINDS = [
    *('unknown model', 'no such config', 'no weights', 'unknown block', 'no such block'),
    *('unknown measure', 'cka of one', 'no checkpoint', 'one image', 'no size'),
    *('little memory', 'no device', 'no spill', 'no batch', 'img size', 'typed measure'),
    *('no timm checkpoint', 'no teacher checkpoint', 'few held out', 'little for gradients'),
]


@pytest.mark.parametrize('kind', KINDS)
def test_bad_input_ends_in_one_line(kind, analyze, config, images, tmp_path):
    (model, *options), part = broken(kind, images, tmp_path)
    if model == 'ours':
        model, _ = config('ours')
    before = sorted(os.listdir(tmp_path))
    _, _, error = analyze(model, *options)
    assert error.startswith('analyze_representation: ') and part in error
    assert '\n' not in error.strip()
    assert sorted(os.listdir(tmp_path)) == before


def test_a_checkpoint_that_does_not_match(analyze, config):
    model, _ = config('ours')
    _, checkpoint = config('widelast')
    _, _, error = analyze(model, '--checkpoint', checkpoint)
    assert error.startswith('analyze_representation: ') and 'does not fit' in error


def test_an_empty_folder(analyze, config, tmp_path):
    (tmp_path / 'empty').mkdir()
    for folder, part in ((tmp_path / 'empty', 'found 0'), (tmp_path / 'no', 'no such')):
        _, _, error = analyze(config('ours')[0], '--allow-random', data_root=folder)
        assert error.startswith('analyze_representation: ') and part in error


def test_features_that_are_not_finite(analyze, config, tmp_path):
    model, checkpoint = config('ours')
    content = torch.load(checkpoint, weights_only=False)
    content['state_dict']['architecture.backbone.layers.1.ffn.layers.1.bias'][3] = torch.nan
    torch.save(content, checkpoint)
    _, _, error = analyze(model, '--checkpoint', checkpoint, '--blocks', 'all')
    assert 'block 1 (backbone.layers.1): NaN or infinite features of ant/0.png' in error
    assert not (tmp_path / 'out').exists()


def test_a_report_that_is_there(analyze, config, tmp_path):
    model, checkpoint = config('ours')
    options = ['--checkpoint', checkpoint, '--measures', 'svd']
    analyze(model, *options)
    before = (tmp_path / 'out' / 'report.json').read_bytes()
    _, _, error = analyze(model, *options, '--seed', 3)
    assert 'has a report; --overwrite replaces it' in error
    assert (tmp_path / 'out' / 'report.json').read_bytes() == before
    report, _, _ = analyze(model, *options, '--seed', 3, '--overwrite')
    assert report['settings']['seed'] == 3


# What is left when it ends early ------------------------------------------------------


@pytest.fixture
def heeds_ctrl_c():
    """A shell that starts a job in the background has it ignore SIGINT."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.usefixtures('heeds_ctrl_c')
@pytest.mark.parametrize('before', [False, True])
@pytest.mark.parametrize('workers', [0, 2])
def test_ctrl_c_leaves_nothing(analyze, config, tmp_path, monkeypatch, before, workers):
    model, checkpoint = config('ours')
    (tmp_path / 'spill').mkdir()
    options = ['--checkpoint', checkpoint, '--measures', 'svd', '--spill', tmp_path / 'spill']
    options += ['--batch-size', 2, '--workers', workers, '--save-features', '--overwrite']
    if before:
        analyze(model, *options)
    there = sorted(os.listdir(tmp_path))
    own = Evaluation.first_pass
    calls = []

    def interrupted(self, *args):
        calls.append(args)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        own(self, *args)

    monkeypatch.setattr(Evaluation, 'first_pass', interrupted)
    _, _, error = analyze(model, *options)
    assert error == 'analyze_representation: interrupted; nothing was written.'
    assert len(calls) == 3 and sorted(os.listdir(tmp_path)) == there
    assert os.listdir(tmp_path / 'spill') == []
    if before:
        assert json.loads((tmp_path / 'out' / 'report.json').read_text())['num_images'] == 9


@pytest.mark.parametrize('place', ['write_report', 'write_report_file', 'run'])
def test_a_full_disk_leaves_nothing(analyze, config, tmp_path, monkeypatch, place):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    model, checkpoint = config('ours')
    there = sorted(os.listdir(tmp_path))
    owners = dict(write_report=report_writer, write_report_file=report_dir, run=MeasureRunner)
    monkeypatch.setattr(owners[place], place, full)
    _, _, error = analyze(model, '--checkpoint', checkpoint, '--measures', 'svd')
    assert error.startswith('analyze_representation: ')
    assert error.endswith(f'No space left on device: {str(tmp_path / "out")!r}')
    assert sorted(os.listdir(tmp_path)) == there


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='needs /dev/full')
@pytest.mark.parametrize('what', ['spill', 'features'])
def test_the_disk_that_is_full_is_named(analyze, config, tmp_path, monkeypatch, what):
    model, checkpoint = config('ours')
    (tmp_path / 'spill').mkdir()
    options = ['--checkpoint', checkpoint, '--measures', 'pca', '--blocks', 'all']
    full = '/dev/full'
    if what == 'spill':
        place = tmp_path / 'spill'
        monkeypatch.setattr(tempfile, 'TemporaryFile', lambda dir: open(full, 'w+b'))  # noqa: SIM115
        monkeypatch.setattr(measure_runner, 'plan_memory', lambda *args: Plan(4, 4, SPILL, 0))
        options += ['--spill', place]
    else:
        place = tmp_path / 'out'
        own = Path.open
        monkeypatch.setattr(
            Path,
            'open',
            lambda path, *args, **kwargs: own(
                Path(full) if path.suffix == '.npy' else path, *args, **kwargs
            ),
        )
        options += ['--save-features']
    _, _, error = analyze(model, *options)
    assert error.endswith(f'No space left on device: {str(place)!r}')
    assert not (tmp_path / 'out').exists()


def test_a_process_that_reads_images_is_killed(analyze, config, tmp_path, monkeypatch):
    model, checkpoint = config('ours')

    def killed(path):
        os.kill(os.getpid(), signal.SIGKILL)

    own = MeasureRunner.run

    def run(self):
        self._batches._loader.dataset.preprocess = killed
        return own(self)

    monkeypatch.setattr(MeasureRunner, 'run', run)
    _, _, error = analyze(model, '--checkpoint', checkpoint, '--workers', 1)
    assert error.startswith('analyze_representation: DataLoader worker (pid')
    assert error.endswith('nothing was written. If memory ran out, use fewer --workers.')
    assert '\n' not in error and not (tmp_path / 'out').exists()


def test_errors_of_ours_are_not_hidden(analyze, config, monkeypatch):
    model, checkpoint = config('ours')

    def wrong(self):
        raise RuntimeError('shapes do not fit')

    monkeypatch.setattr(MeasureRunner, 'run', wrong)
    with pytest.raises(RuntimeError, match='shapes do not fit'):
        analyze(model, '--checkpoint', checkpoint)
