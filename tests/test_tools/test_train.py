"""tools/train.py on the demo's WideLast: the same seed, the same run, also resumed."""

import mmvitkd  # noqa: F401

import pytest
import torch
from image_folders import write_folder
from mmengine.config import Config
from mmpretrain.registry import MODELS

CONFIG = 'configs/mnist5k/vit_32_widelast.py'
FAST = [
    'train_dataloader.batch_size=32',
    'train_cfg.max_epochs=3',
    'train_cfg.val_interval=1',
    'param_scheduler.0.end=1',
    'param_scheduler.1.begin=1',
    'default_hooks.logger.interval=2',
]


@pytest.fixture(scope='module')
def digits(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp('digits'), 10, 10, 2, (28, 28), 'png')


@pytest.fixture(scope='module')
def teacher(tmp_path_factory):
    """A teacher's checkpoint, as tools/train.py on its config would write it."""
    path = tmp_path_factory.mktemp('teacher') / 'teacher.pth'
    model = MODELS.build(Config.fromfile('configs/mnist5k/vit_64.py').model)
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return path


@pytest.fixture
def options(digits, teacher):
    splits = [f'{split}_dataloader.dataset.data_root={digits}' for split in ('train', 'val')]
    return [*FAST, *splits, f'model.teacher_ckpt={teacher}']


def load(folder, epoch=3):
    return torch.load(folder / f'epoch_{epoch}.pth', weights_only=True)


def assert_same_run(first, second):
    """The same losses at every iteration, the same weights, optimizer and random states."""
    for key in ('state_dict', 'optimizer', 'random_states'):
        assert_equal(first[key], second[key])
    one, other = (run['message_hub']['log_scalars'] for run in (first, second))
    losses = [k for k in one if 'loss' in k or 'top1' in k]
    assert len(losses) == 4
    for key in losses:
        assert_equal(one[key], other[key])
    assert len(one['train/loss']['log_history']) == 9


def assert_equal(one, other):
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_equal(one[key], other[key])
    elif isinstance(one, list | tuple):
        for a, b in zip(one, other, strict=True):
            assert_equal(a, b)
    else:
        assert one == other


@pytest.mark.parametrize('workers', [0, 2])
def test_resume_is_exact_in_one_process(run_tool, options, tmp_path, workers):
    options = [*options, f'train_dataloader.num_workers={workers}']
    a, b, c = (tmp_path / name for name in 'abc')
    run_tool('train', CONFIG, '--work-dir', a, options=options)
    run_tool('train', CONFIG, '--work-dir', b, '--resume', a / 'epoch_1.pth', options=options)
    assert_same_run(load(a), load(b))
    run_tool('train', CONFIG, '--work-dir', c, options=options)
    assert_same_run(load(a), load(c))


@pytest.mark.parametrize('workers', [0, 2])
def test_resume_is_exact_in_two_processes(run_distributed, options, tmp_path, workers):
    options = [
        *options,
        f'train_dataloader.num_workers={workers}',
        'train_dataloader.batch_size=16',
    ]
    a, b = tmp_path / 'a', tmp_path / 'b'
    run_distributed('dist_train.sh', CONFIG, 2, '--work-dir', a, '--cfg-options', *options)
    b.mkdir()
    (b / 'epoch_2.pth').write_bytes((a / 'epoch_2.pth').read_bytes())
    (b / 'last_checkpoint').write_text(str(b / 'epoch_2.pth'))
    run_distributed(
        'dist_train.sh', CONFIG, 2, '--work-dir', b, '--resume', '--cfg-options', *options
    )
    assert_same_run(load(a), load(b))
    ranks = load(a)['random_states']
    assert len(ranks) == 2 and not torch.equal(ranks[0]['torch'], ranks[1]['torch'])


def test_another_seed_is_another_run(run_tool, options, tmp_path):
    for seed in (0, 1):
        run_tool(
            'train',
            CONFIG,
            '--work-dir',
            tmp_path / str(seed),
            options=[*options, f'randomness.seed={seed}'],
        )
    losses = [
        load(tmp_path / s)['message_hub']['log_scalars']['train/loss']['log_history']
        for s in '01'
    ]
    assert not torch.equal(*losses)


def test_the_checkpoint_is_plain_and_without_teacher(run_tool, options, tmp_path, teacher):
    run_tool('train', CONFIG, '--work-dir', tmp_path, options=options)
    checkpoint = load(tmp_path)
    assert all(k.startswith('architecture.') for k in checkpoint['state_dict'])
    parameters = sum(v.numel() for v in checkpoint['state_dict'].values())
    moments = checkpoint['optimizer']['state'].values()
    assert sum(m['exp_avg'].numel() for m in moments) == parameters
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'epoch_3.pth')


def test_test_needs_no_teacher(run_tool, options, tmp_path, digits, monkeypatch, capsys):
    run_tool('train', CONFIG, '--work-dir', tmp_path, options=options)
    trained = load(tmp_path)['message_hub']['log_scalars']['val/accuracy/top1']
    data = f'test_dataloader.dataset.data_root={digits}'
    gone = ['model.teacher_ckpt=gone.pth', 'model.teacher.type=NoSuchTeacher', data]
    out = tmp_path / 'metrics.json'
    run_tool(
        'test',
        CONFIG,
        tmp_path / 'epoch_3.pth',
        '--work-dir',
        tmp_path / 'test',
        '--out',
        out,
        '--out-item',
        'metrics',
        options=gone,
    )
    top1 = trained['log_history'][-1].item()
    assert f'"accuracy/top1": {top1}' in out.read_text()


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        ('train_dataloader.dataset.data_root=nowhere', "train_dataloader.*'nowhere'.*no such"),
        ('model.architecture.head.num_classes=7', 'found 10 class folders.*wanted 7'),
        ('model.teacher_ckpt=nowhere.pth', "teacher_ckpt='nowhere.pth'.*no such file"),
        ('model.architecture.backbone.width=65', 'width'),
        ('model.pairs=[(5, 6)]', r"'backbone\.layers\.6' is not in the teacher"),
    ],
)
def test_bad_input_stops_before_training(run_tool, options, tmp_path, option, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        run_tool('train', CONFIG, '--work-dir', tmp_path, options=[*options, option])


def test_a_missing_or_truncated_checkpoint_is_named(run_tool, options, tmp_path):
    cut = tmp_path / 'cut.pth'
    cut.write_bytes(b'PK not a checkpoint')
    for path, message in ((tmp_path / 'no.pth', 'no such file'), (cut, 'truncated')):
        for tool, arguments in (('train', ['--resume', path]), ('test', [path])):
            with pytest.raises((ValueError, FileNotFoundError), match=message):
                run_tool(tool, CONFIG, *arguments, '--work-dir', tmp_path, options=options)
