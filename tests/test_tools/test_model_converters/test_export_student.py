"""tools/model_converters/export_student.py: from a training to a self-contained folder."""

import importlib.util
import json
import os
import pickle
import re
import subprocess
import sys
from importlib.metadata import distribution

import mmvitkd  # noqa: F401
from mmvitkd.analysis import cost_of
from mmvitkd.export import mmpretrain_files

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from toy import WIDE_ARCH, vit
from toy_students import NAMES, build, save_training, training, write_images

TOOL = 'model_converters/export_student'
# A torch whose build cannot load torchvision's compiled ops, as mmvitkd mends it.
MEND = """
import torch
try:
    import torchvision
except RuntimeError:
    for op in ('nms', 'qnms'):
        torch.library.define(
            f'torchvision::{op}', '(Tensor dets, Tensor scores, float threshold) -> Tensor'
        )
    for name in [m for m in sys.modules if m.split('.')[0] == 'torchvision']:
        del sys.modules[name]
"""


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp('images'), per_class=3)


@pytest.fixture
def trained(tmp_path, images):
    """Writes the config and the checkpoint of a training; returns them and the student."""

    def write(kind):
        cfg = training(kind, images)
        raw, average = save_training(cfg, tmp_path / f'{kind}.pth')
        cfg.dump(tmp_path / f'{kind}.py')
        return tmp_path / f'{kind}.py', tmp_path / f'{kind}.pth', raw, average

    return write


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob('*') if p.is_file())


def card_of(folder):
    return (folder / 'README.md').read_text(encoding='utf-8')


def test_a_plain_student_in_all_formats(
    run_tool, trained, tmp_path, images, monkeypatch, capsys
):
    config, checkpoint, model, _ = trained('ours')
    out = tmp_path / 'tiny'
    capsys.readouterr()
    run_tool(TOOL, config, checkpoint, '--out', out)
    wrote = 'wrote student.py, student.pth, timm/, student.onnx, SHA256SUMS and README.md'
    assert capsys.readouterr().out == f'{out}: {wrote}\n'
    wanted = ['README.md', 'SHA256SUMS', 'student.onnx', 'student.pth', 'student.py']
    assert files(out) == [*wanted, 'timm/config.json', 'timm/model.safetensors']

    for name in files(out):
        content = (out / name).read_bytes().replace(b'pretrain', b'').lower()
        words = [b'optim', b'distiller', b'projector', b'architecture.', b'lr=', b'scheduler']
        if name != 'README.md':
            words += [b'teacher', b"'mmvitkd", b'train']
        for word in words:
            assert word not in content, (name, word)

    card = card_of(out)
    cost = cost_of(model, (32, 32))
    assert f'| parameters | {cost.parameters:,} |' in card
    assert '| score | top-1 41.25 % (the validation of epoch 3) |' in card
    assert 'weights from teacher_of_old.pth' in card and '5: ant; bee; cat; dog; elk' in card
    assert 'student block 2 and teacher block 3: FeatureMSELoss (weight 0.2)' in card
    assert str(tmp_path) not in card

    snippets = re.findall(r'```python\n(.*?)```', card, re.DOTALL)
    assert len(snippets) == 4
    monkeypatch.chdir(out)
    image = next((images / 'val').rglob('*.png'))
    (out / 'image.png').write_bytes(image.read_bytes())
    for snippet in snippets:
        exec(snippet, {})


@pytest.fixture
def unlabelled(run_tool, tmp_path, images):
    """Trains an epoch without labels; returns the config and the checkpoint."""

    def train(kind):
        cfg = training('ours' if kind == 'projector' else kind, images / 'val')
        cfg.model.pairs = [('neck.norm' if kind == 'lift' else 2, 3)]
        if kind == 'projector':
            cfg.model.pair_projector = dict(in_channels=16, out_channels=32, norm='LN')
        cfg.val_dataloader, cfg.val_evaluator = cfg.test_dataloader, cfg.test_evaluator
        cfg.val_cfg, cfg.train_cfg = dict(), dict(by_epoch=True, max_epochs=1, val_interval=1)
        cfg.default_hooks.feature_error = dict(type='mmvitkd.FeatureErrorHook')
        cfg.dump(tmp_path / 'bare.py')
        torch.save(build(vit(WIDE_ARCH)).state_dict(), tmp_path / 'teacher.pth')
        options = ['with_label=False', f'model.teacher_ckpt={tmp_path}/teacher.pth']
        where = ['--work-dir', tmp_path / 'run']
        run_tool('train', tmp_path / 'bare.py', *where, options=options)
        return tmp_path / 'run' / 'bare.py', tmp_path / 'run' / 'epoch_1.pth'

    return train


@pytest.mark.parametrize('kind', ['projector', 'lift', 'widelast'])
def test_a_student_without_a_head(run_tool, unlabelled, tmp_path, images, monkeypatch, kind):
    out = tmp_path / 'tiny'
    run_tool(TOOL, *unlabelled(kind), '--out', out)
    assert 'student.onnx' in files(out)
    assert ('timm/config.json' in files(out)) == (kind == 'projector')
    for name in files(out):
        content = (out / name).read_bytes().replace(b'pretrain', b'').lower()
        words = [b'optim', b'distiller', b'architecture.', b'accuracy', b'logits', b'elk']
        if name != 'README.md':
            words += [b'teacher', b'train', b'loss', b'connector', b'head.', b'feature_error']
            words += [b"'mmvitkd", b'projector'] if kind == 'projector' else []
        for word in words:
            assert word not in content, (name, word)

    card = card_of(out)
    assert 'weights from teacher.pth' in card and 'labels' not in card
    assert '## How close it is to its teacher' in card and '(the validation of epoch 1)' in card
    snippets = re.findall(r'```python\n(.*?)```', card, re.DOTALL)
    assert len(snippets) == (4 if kind == 'projector' else 3)
    monkeypatch.chdir(out)
    for name, image in zip(('image', 'other'), images.rglob('*.png'), strict=False):
        (out / f'{name}.png').write_bytes(image.read_bytes())
    for snippet in snippets:
        exec(snippet, {})
    with pytest.raises(SystemExit, match=r'test_evaluator=None: .*evaluate_features'):
        run_tool('test', *exported(out), '--work-dir', tmp_path / 'a')


@pytest.mark.parametrize('kind', ['lift', 'widelast'])
def test_the_export_predicts_like_the_training(
    run_tool, trained, tmp_path, images, kind, capsys
):
    """By tools/test.py on the training's config, on the export, and by MMPretrain's own."""
    config, checkpoint, *_ = trained(kind)
    out = tmp_path / 'student'
    run_tool(TOOL, config, checkpoint, '--out', out, '--formats', 'mmpretrain')
    assert files(out) == ['README.md', 'SHA256SUMS', 'student.pth', 'student.py']
    assert 'wrote student.py, student.pth, SHA256SUMS and README.md' in capsys.readouterr().out
    predictions = []
    for name, *sources in (('a', config, checkpoint), ('b', *exported(out))):
        where = ['--work-dir', tmp_path / name, '--out', tmp_path / f'{name}.pkl']
        run_tool('test', *sources, *where, options=[f'data_root={images}'])
        predictions.append(pickle.loads((tmp_path / f'{name}.pkl').read_bytes()))
    assert len(predictions[0]) == 15
    for one, two in zip(*predictions, strict=True):
        assert torch.equal(one['pred_score'], two['pred_score'])
        assert torch.equal(one['gt_label'], two['gt_label'])
    assert torch.stack([p['pred_score'] for p in predictions[0]]).std(0).max() > 1e-4


def test_no_file_names_this_machine(run_tool, tmp_path, images, monkeypatch):
    monkeypatch.setenv('STORE_KEY', secret := 'a-secret-of-this-test')
    home = tmp_path / 'home' / 'somebody'
    monkeypatch.setenv('HOME', str(home))
    cfg = training('ours', images)
    dataset = cfg.test_dataloader.dataset
    dataset.pipeline[0].backend_args = dict(backend='local')
    dataset.metainfo = dict(source='/data/elsewhere/list.txt')
    cfg.test_evaluator.collect_device = 'cpu'
    cfg.test_evaluator.prefix = secret
    cfg.model.teacher_ckpt = '~/teachers/teacher_of_old.pth'
    cfg.work_dir = str(tmp_path / 'work_dirs')
    save_training(cfg, tmp_path / 'ours.pth')
    cfg.dump(tmp_path / 'ours.py')
    out = home / 'tiny'
    run_tool(TOOL, tmp_path / 'ours.py', tmp_path / 'ours.pth', '--out', out)
    for name in files(out):
        content = (out / name).read_bytes()
        for word in (secret, 'somebody', str(tmp_path), str(images), os.getcwd(), 'elsewhere'):
            assert word.encode() not in content, (name, word)
    with pytest.raises(SystemExit, match=r"data_root='path/to/images'.* set data_root"):
        run_tool('test', *exported(out), '--work-dir', tmp_path / 'a')


def test_class_names_are_data(run_tool, tmp_path, monkeypatch):
    monkeypatch.setenv('SERVICE_KEY', secret := 'a-secret-of-this-test')
    names = (
        "'+__import__('os').abort()+'",
        '<script>|[x](y)',
        '<test_pipeline>',
        'b\n# `c`\udcff',
        '{{$SERVICE_KEY:}}{{_base_.x}}{{fileDirname}}',
    )
    root = write_images(tmp_path / 'images', 1, [name.replace('/', '') for name in names])
    names = tuple(sorted(names))
    cfg = training('ours', root)
    save_training(cfg, tmp_path / 'ours.pth', names=names)
    cfg.dump(tmp_path / 'ours.py')
    out = tmp_path / 'tiny'
    run_tool(TOOL, tmp_path / 'ours.py', tmp_path / 'ours.pth', '--out', out)
    read = Config.fromfile(out / 'student.py')
    assert read.test_dataloader.dataset.classes == list(names)
    assert read.test_dataloader.dataset.pipeline == read.test_pipeline
    (line,) = (line for line in card_of(out).splitlines() if line.startswith('| classes'))
    assert line.count('|') == 3 and '<' not in line and '`' not in line
    assert secret not in card_of(out) + (out / 'student.py').read_text()


def exported(out):
    return out / 'student.py', out / 'student.pth'


def test_mmpretrains_own_test_tool(run_tool, trained, tmp_path, images, monkeypatch):
    config, checkpoint, *_ = trained('ours')
    out = tmp_path / 'student'
    run_tool(TOOL, config, checkpoint, '--out', out, '--formats', 'mmpretrain')
    text = (out / 'student.py').read_text()
    assert "\ndata_root = 'path/to/images'\n" in text
    (out / 'student.py').write_text(text.replace('path/to/images', str(images)))
    scores = []
    for name in ('ours', 'theirs'):
        where = ['--work-dir', tmp_path / name, '--out', tmp_path / f'{name}.json']
        arguments = [*exported(out), *where, '--out-item', 'metrics', '--no-pin-memory']
        if name == 'ours':
            run_tool('test', *arguments)
        else:
            path = distribution('mmpretrain').locate_file('mmpretrain/.mim/tools/test.py')
            spec = importlib.util.spec_from_file_location('mmpretrains_test', str(path))
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            monkeypatch.setenv('LOCAL_RANK', '0')
            monkeypatch.setattr(sys, 'argv', ['test.py', *map(str, arguments)])
            module.main()
        scores.append(json.loads((tmp_path / f'{name}.json').read_text()))
    assert scores[0] == scores[1] and 'accuracy/top1' in scores[0]


@pytest.mark.parametrize('kind', ['ours', 'widelast'])
def test_a_fresh_process_needs_only_mmpretrain(run_tool, trained, tmp_path, images, kind):
    """And mmvitkd for WideLast, which its config imports before MMPretrain's models."""
    config, checkpoint, model, _ = trained(kind)
    out = tmp_path / 'student'
    run_tool(TOOL, config, checkpoint, '--out', out, '--formats', 'mmpretrain')
    image = next((images / 'val').rglob('*.png'))
    script = f"""
import json, sys
{MEND if kind == 'ours' else ''}
{"sys.modules['mmvitkd'] = None" if kind == 'ours' else ''}
from mmpretrain import ImageClassificationInferencer
classify = ImageClassificationInferencer('student.py', pretrained='student.pth')
(found,) = classify({str(image)!r})
print('FOUND', json.dumps([found['pred_class'], *map(float, found['pred_scores'])]))
"""
    done = subprocess.run(
        [sys.executable, '-c', script],
        cwd=out,
        env=dict(os.environ, OMP_NUM_THREADS='1'),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    name, *scores = json.loads(done.stdout.split('FOUND')[1])
    from mmpretrain import ImageClassificationInferencer

    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model._config = training(kind)
        (wanted,) = ImageClassificationInferencer(model)(str(image))
    np.testing.assert_allclose(scores, wanted['pred_scores'], atol=1e-6)
    assert name == NAMES[wanted['pred_label']]


def test_ema_weights_and_a_given_score(run_tool, trained, tmp_path):
    config, checkpoint, raw, average = trained('lift')
    where = ['--out', tmp_path / 'student', '--formats', 'mmpretrain', '--ema']
    run_tool(TOOL, config, checkpoint, *where)
    weights = torch.load(tmp_path / 'student' / 'student.pth', weights_only=True)['state_dict']
    assert weights.keys() == average.state_dict().keys()
    assert torch.equal(weights['neck.proj.weight'], average.neck.proj.weight)
    assert not torch.equal(weights['neck.proj.weight'], raw.neck.proj.weight)
    assert 'top-1 31.50 %' in card_of(tmp_path / 'student')
    assert 'moving average' in card_of(tmp_path / 'student')

    (tmp_path / 'metrics.json').write_text('{"accuracy/top1": 77.5, "accuracy/top5": 93}')
    score = ['--score', tmp_path / 'metrics.json', '--overwrite']
    run_tool(TOOL, config, checkpoint, *where, *score)
    card = card_of(tmp_path / 'student')
    assert 'top-1 77.50 %, top-5 93.00 % (a separate test)' in card


def test_shortcuts_of_the_config_are_applied(run_tool, trained, tmp_path):
    config, checkpoint, *_ = trained('lift')
    config.write_text(config.read_text().replace('num_classes=5', 'num_classes=9'))
    where = [TOOL, config, checkpoint, '--out', tmp_path / 'student', '--formats', 'mmpretrain']
    message = r'(?s)does not fit the model.*\nIf the run had --cfg-options, export with the con'
    with pytest.raises(SystemExit, match=message):
        run_tool(*where)
    run_tool(*where, options=['num_classes=5', 'data_root=data/elsewhere'])
    text = (tmp_path / 'student' / 'student.py').read_text()
    assert 'num_classes=5' in text and "data_root = 'data/elsewhere'" in text


def test_a_config_without_the_runs_options_is_noted(run_tool, tmp_path, images, capsys):
    """A real run: whatever it changes in its config, the one in its work dir is its own."""
    cfg = training('lift')
    cfg.model.teacher_ckpt = None
    cfg.train_cfg = dict(by_epoch=True, max_epochs=1)
    cfg.dump(tmp_path / 'bare.py')
    torch.save(build(vit(WIDE_ARCH)).state_dict(), tmp_path / 'teacher.pth')
    options = [f'data_root={images}', 'num_classes=5']
    teacher = f'model.teacher_ckpt={tmp_path / "teacher.pth"}'
    run = tmp_path / 'run'
    run_tool('train', tmp_path / 'bare.py', '--work-dir', run, options=[*options, teacher])

    def export(config, *options):
        where = ['--out', tmp_path / 'student', '--formats', 'mmpretrain', '--overwrite']
        capsys.readouterr()
        run_tool(TOOL, config, run / 'epoch_1.pth', *where, options=options)
        return capsys.readouterr().out, card_of(tmp_path / 'student')

    said, card = export(tmp_path / 'bare.py', *options)
    assert "The run's model config differs from bare.py: the teacher" in said
    assert "The run's model config differs from `bare.py`: the teacher" in card
    for arguments in ([run / 'bare.py'], [tmp_path / 'bare.py', *options, teacher]):
        said, card = export(*arguments)
        assert 'differs' not in said + card and 'weights from teacher.pth' in card


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ('exists', r'^export_student: --out: .*exists; --overwrite'),
        ('checkpoint', r"^export_student: checkpoint='gone\.pth': there is no such file"),
        ('timm', r'^export_student: --formats timm: timm has no ViT with a LiftProjector'),
        ('score', r'^export_student: --score: .*wanted a JSON object of numbers'),
        ('ema', r'^export_student: --ema: .*holds no EMA weights'),
    ],
)
def test_errors_name_the_option_and_leave_nothing(run_tool, trained, tmp_path, change, message):
    config, checkpoint, *_ = trained('lift')
    out, extra = tmp_path / 'out' / 'student', ['--formats', 'mmpretrain']
    out.parent.mkdir()
    if change == 'exists':
        out.mkdir()
    elif change == 'checkpoint':
        checkpoint = 'gone.pth'
    elif change == 'timm':
        extra = ['--formats', 'mmpretrain', 'timm']
    elif change == 'score':
        (tmp_path / 'score.json').write_text('[1, 2]')
        extra = ['--score', tmp_path / 'score.json']
    else:
        content = torch.load(checkpoint, weights_only=True)
        torch.save({'state_dict': content['state_dict']}, checkpoint)
        extra = ['--ema']
    before = sorted(out.parent.rglob('*'))
    with pytest.raises(SystemExit, match=message):
        run_tool(TOOL, config, checkpoint, '--out', out, *extra)
    assert sorted(out.parent.rglob('*')) == before


def test_a_failed_check_leaves_nothing(run_tool, trained, tmp_path, monkeypatch):
    def check(*_):
        raise ValueError('its logits differ by up to 0.5')

    monkeypatch.setattr(mmpretrain_files, 'check_outputs', check)
    config, checkpoint, *_ = trained('lift')
    with pytest.raises(SystemExit, match=r'differ by up to 0\.5'):
        run_tool(TOOL, config, checkpoint, '--out', tmp_path / 'new' / 'student')
    assert files(tmp_path / 'new') == []


def test_compact_files_come_with_images(run_tool, trained, tmp_path, images, capsys):
    config, checkpoint, _, _ = trained('widelast')
    out = tmp_path / 'tiny'
    given = (config, checkpoint, '--out', out, '--images', images / 'val')
    run_tool(TOOL, *given, '--formats', 'onnx', 'onnx-int8', 'onnx-fp16', 'pt2', '--force')
    compact = ['student.fp16.onnx', 'student.int8.onnx', 'student.onnx', 'student.pt2']
    assert files(out) == ['README.md', 'SHA256SUMS', *compact]
    rows = {
        cells[0]: cells[1:]
        for line in card_of(out).partition('## How close the files are')[2].splitlines()
        if len(cells := [cell.strip(' `') for cell in line.strip('|').split('|')]) == 7
    }
    assert rows.keys() >= set(compact)
    assert rows['student.onnx'][3] == '100.0'


def test_compact_files_need_images(run_tool, trained, tmp_path):
    config, checkpoint, _, _ = trained('ours')
    with pytest.raises(SystemExit, match='--images: none are given for pt2'):
        run_tool(TOOL, config, checkpoint, '--out', tmp_path / 'tiny', '--formats', 'pt2')
    assert not (tmp_path / 'tiny').exists()
