"""tools/train.py on the demo's WideLast: the same seed, the same run, also resumed."""

import json
import resource
import sys
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.engine.runner.launch import set_dataloaders
from mmvitkd.utils.folder_lock import folder_lock

import pytest
import torch
from image_folders import write_folder
from mmengine.config import Config
from mmengine.runner import Runner
from mmpretrain.registry import MODELS
from tool_modules import load_tool

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
    names = 'train', 'val', 'test'
    splits = [f'{name}_dataloader.dataset.data_root={digits}' for name in names]
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
    assert (tmp_path / 'last_checkpoint').read_text() == 'epoch_3.pth'


def measure(run_tool, folder, config, options, *arguments):
    """The metrics that tools/test.py writes for a run's last checkpoint."""
    out = folder / 'metrics.json'
    where = ['--work-dir', folder / 'test', '--out', out, '--out-item', 'metrics']
    run_tool('test', config, folder / 'epoch_3.pth', *where, *arguments, options=options)
    return json.loads(out.read_text())


def last_value(folder, name):
    history = load(folder)['message_hub']['log_scalars'][f'val/{name}']['log_history']
    return history[-1].item()


def test_test_needs_no_teacher(run_tool, options, tmp_path, digits):
    run_tool('train', CONFIG, '--work-dir', tmp_path, options=options)
    gone = [
        'model.teacher_ckpt=gone.pth',
        'model.teacher.type=NoSuchTeacher',
        f'test_dataloader.dataset.data_root={digits}',
    ]
    metrics = measure(run_tool, tmp_path, CONFIG, gone)
    assert metrics['accuracy/top1'] == last_value(tmp_path, 'accuracy/top1')


def test_the_raw_student_and_its_average(run_tool, options, tmp_path, digits):
    config = tmp_path / 'ema.py'
    base = Path(CONFIG).resolve()
    config.write_text(
        f"_base_ = '{base}'\n"
        "custom_hooks = [dict(type='mmvitkd.StudentEMAHook', momentum=0.3, gamma=1)]\n"
    )
    run_tool('train', config, '--work-dir', tmp_path, options=options)
    checkpoint = load(tmp_path)
    names = {k.removeprefix('architecture.') for k in checkpoint['state_dict']}
    averaged = {k.removeprefix('module.') for k in checkpoint['ema_state_dict']} - {'steps'}
    assert names == averaged

    data = [f'test_dataloader.dataset.data_root={digits}']
    raw = measure(run_tool, tmp_path, config, data)
    ema = measure(run_tool, tmp_path, config, data, '--ema')
    assert raw['accuracy/top1'] == last_value(tmp_path, 'accuracy/top1')
    assert ema['accuracy/top1'] == last_value(tmp_path, 'accuracy/top1_ema')


TIMM = dict(
    _delete_=True,
    type='TimmClassifier',
    model_name='vit_tiny_patch16_224',
    img_size=28,
    patch_size=7,
    embed_dim=64,
    depth=6,
    num_heads=4,
    num_classes=10,
)


@pytest.mark.parametrize('kind', ['mmpretrain', 'timm'])
def test_the_runner_leaves_the_teacher_as_its_file(options, tmp_path, teacher, kind):
    """Stock MMRazor lets the runner draw a timm teacher's weights again."""
    config = Config.fromfile(CONFIG)
    config.merge_from_dict(dict(o.split('=', 1) for o in options if 'data_root' in o))
    config.model.teacher_ckpt = str(teacher)
    if kind == 'timm':
        config.merge_from_dict(dict(model=dict(teacher=TIMM)))
        source = MODELS.build({k: v for k, v in TIMM.items() if k != '_delete_'})
        config.model.teacher_ckpt = str(tmp_path / 'timm.pth')
        torch.save(source.state_dict(), config.model.teacher_ckpt)
    config.work_dir, config.launcher = str(tmp_path), 'none'
    config.experiment_name = f'teacher_{kind}'
    config.train_cfg.max_epochs = 3
    set_dataloaders(config)
    runner = Runner.from_cfg(config)
    runner.train()
    file = torch.load(config.model.teacher_ckpt, weights_only=True)
    weights = file.get('state_dict', file)
    held = runner.model.teacher.model.state_dict()
    assert held.keys() == weights.keys()
    assert all(torch.equal(held[k], weights[k]) for k in weights)


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        ('train_dataloader.dataset.data_root=nowhere', "train_dataloader.*'nowhere'.*no such"),
        ('model.architecture.head.num_classes=7', 'found 10 class folders.*wanted 7'),
        ('model.teacher_ckpt=nowhere.pth', "teacher_ckpt='nowhere.pth'.*no such file"),
        ('model.architecture.backbone.width=65', 'width'),
        ('model.architecture.backbone.wdith=64', "argument 'wdith'"),
        (
            'model.architecture.neck.type=GlobalAveragePoolin',
            'neck.type=.* GlobalAveragePooling',
        ),
        ('model.pairs=[(5, 6)]', r'pairs\[0\]\[1\]=6: the teacher .* has 6 blocks or stages'),
    ],
)
def test_bad_input_stops_before_training(run_tool, options, tmp_path, option, message):
    with pytest.raises(SystemExit, match=f'(?s)^train: .*{message}') as ended:
        run_tool('train', CONFIG, '--work-dir', tmp_path, options=[*options, option])
    assert '\n' not in str(ended.value)


def test_a_missing_or_truncated_checkpoint_is_named(run_tool, options, tmp_path):
    cut = tmp_path / 'cut.pth'
    cut.write_bytes(b'PK not a checkpoint')
    for path, message in ((tmp_path / 'no.pth', 'no such file'), (cut, 'truncated')):
        for tool, arguments in (('train', ['--resume', path]), ('test', [path])):
            with pytest.raises(SystemExit, match=f'^{tool}: .*{message}'):
                run_tool(tool, CONFIG, *arguments, '--work-dir', tmp_path, options=options)


def test_two_trainings_do_not_share_a_work_dir(run_tool, options, tmp_path):
    with folder_lock(tmp_path, 'a training'), pytest.raises(SystemExit) as end:
        run_tool('train', CONFIG, '--work-dir', tmp_path, options=options)
    assert end.value.code.startswith(f'train: {tmp_path} is in use by a training (host ')
    assert list(tmp_path.iterdir()) == []  # nothing was replaced


def test_a_full_disk_is_told_in_a_line_that_names_the_file(run_tool, options, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:  # larger files are refused, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, before[1]))
        with pytest.raises(SystemExit) as end:
            run_tool('train', CONFIG, '--work-dir', tmp_path, options=options)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert f"File too large: '{tmp_path}/epoch_1.pth'" in end.value.code
    assert '--resume' in end.value.code and '\n' not in end.value.code
    assert not [path for path in tmp_path.iterdir() if 'epoch' in path.name]


def test_a_secret_from_the_environment_is_nowhere_in_the_work_dir(
    run_tool, options, tmp_path, monkeypatch, capfd
):
    monkeypatch.setenv('SERVICE_KEY', secret := 'a-secret-of-this-test')
    config = tmp_path / 'with_key.py'
    config.write_text(
        f"_base_ = '{Path(CONFIG).resolve()}'\n"
        "service = dict(key='{{$SERVICE_KEY:}}', url='https://me:{{$SERVICE_KEY:}}@host')\n"
        "visualizer = dict(vis_backends=[dict(type='LocalVisBackend'), "
        "dict(type='TensorboardVisBackend')])\n"
    )
    options += ['train_cfg.max_epochs=1', 'param_scheduler=[]']
    run_tool('train', config, '--work-dir', tmp_path / 'run', options=options)
    files = [path for path in (tmp_path / 'run').rglob('*') if path.is_file()]
    names = {path.name for path in files}
    assert {'with_key.py', 'config.py', 'epoch_1.pth'} <= names
    assert any(name.endswith('.log') for name in names)
    assert any('events.out.tfevents' in name for name in names)
    assert not [path for path in files if secret.encode() in path.read_bytes()]
    assert secret not in ''.join(capfd.readouterr())
    dumped = Config.fromfile(tmp_path / 'run' / 'with_key.py')
    assert dumped.service == dict(key=secret, url=f'https://me:{secret}@host')


@pytest.mark.parametrize('flags', [[], ['--no-persistent-workers']])
@pytest.mark.parametrize('workers', [0, 2])
def test_workers_of_the_command_line_outlast_an_epoch(monkeypatch, workers, flags):
    tool = load_tool('train')
    options = ['--cfg-options', f'train_dataloader.num_workers={workers}']
    monkeypatch.setattr(sys, 'argv', ['train.py', CONFIG, *flags, *options])
    cfg = tool.merge_args(Config.fromfile(CONFIG), tool.parse_args())
    assert cfg.train_dataloader.persistent_workers is (workers > 0 and not flags)


@pytest.mark.parametrize(
    ('resume', 'found'),
    [
        (None, (False, 'start.pth')),
        ('auto', ('auto', 'start.pth')),  # for the first start of a run
        ('a.pth', (True, 'a.pth')),
    ],
)
def test_load_from_is_kept_for_the_first_start(monkeypatch, resume, found):
    tool = load_tool('train')
    options = [] if resume is None else ['--resume', *([] if resume == 'auto' else [resume])]
    monkeypatch.setattr(sys, 'argv', ['train.py', CONFIG, *options])
    cfg = Config.fromfile(CONFIG)
    cfg.load_from = 'start.pth'
    cfg = tool.merge_args(cfg, tool.parse_args())
    assert (cfg.resume, cfg.load_from) == found


def test_workers_that_an_option_turns_off_do_not_outlast_an_epoch(monkeypatch):
    tool = load_tool('train')
    option = ['--cfg-options', 'train_dataloader.num_workers=0']
    monkeypatch.setattr(sys, 'argv', ['train.py', CONFIG, *option])
    cfg = Config.fromfile(CONFIG)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.num_workers = 2
    cfg = tool.merge_args(cfg, tool.parse_args())
    assert not cfg.train_dataloader.persistent_workers
    assert cfg.val_dataloader.persistent_workers
