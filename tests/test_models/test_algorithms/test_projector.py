"""ProjectorKD in a config: what is trained, saved, resumed, shipped, and what is refused."""

import copy
from itertools import count

import mmvitkd  # noqa: F401
from mmvitkd.engine.runner.launch import cleanup
from mmvitkd.export.student import read_student

import pytest
import torch
from folders import write_noise
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS
from mmengine.runner import Runner
from mmpretrain.structures import DataSample

CONFIG = """
# ProjectorKD (arXiv 2511.06848): the student's last block, projected to the teacher's width.
_base_ = '{root}/configs/mnist5k/vit_32_feature_kd.py'

model = dict(
    pairs=None,
    pair_loss=None,
    distiller=dict(
        student_recorders=dict(last=dict(type='ModuleOutputs', source='backbone.layers.5')),
        teacher_recorders=dict(last=dict(type='ModuleOutputs', source='backbone.layers.5')),
        connectors=dict(
            student=dict(type='mmvitkd.ProjectorConnector', in_channels=32, out_channels=64),
            teacher=dict(type='mmvitkd.ProjectorConnector', in_channels=64),
        ),
        distill_losses=dict(
            loss_projector=dict(type='mmvitkd.FeatureMSELoss', loss_weight=0.2),
        ),
        loss_forward_mappings=dict(
            loss_projector=dict(
                preds_S=dict(recorder='last', from_student=True, connector='student'),
                preds_T=dict(recorder='last', from_student=False, connector='teacher'),
            )
        ),
    ),
)
"""
STUDENT, TEACHER = 'distiller.connectors.student.', 'distiller.connectors.teacher.'
STATISTICS = 'norm.running_mean', 'norm.running_var', 'norm.num_batches_tracked'
RUNS = count()


@pytest.fixture
def config(tmp_path, request):
    path = tmp_path / 'projector.py'
    path.write_text(CONFIG.format(root=request.config.rootpath))
    config = Config.fromfile(path)
    config.model.teacher_ckpt, config.model.allow_random_teacher = None, True
    config.model.data_preprocessor = config.data_preprocessor
    return config


def build(config, options=None):
    config.merge_from_dict({f'model.{k}': v for k, v in (options or {}).items()})
    model = MODELS.build(copy.deepcopy(config.model))
    model.init_weights()
    return model.train()


def batch(size=4):
    torch.manual_seed(1)
    return dict(
        inputs=torch.randint(0, 256, (size, 3, 28, 28), dtype=torch.uint8),
        data_samples=[DataSample().set_gt_label(i) for i in range(size)],
    )


def state(model):
    return {k: v.clone() for k, v in model.state_dict().items()}


def changed(model, before):
    return {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}


def last_tokens(classifier, images):
    backbone = copy.deepcopy(classifier.backbone)
    backbone.out_type, backbone.final_norm = 'raw', False
    return backbone(images)[-1][:, 1:]


def naive_norm(tokens):
    channels = [
        (c - c.mean()) / (c.square().mean() - c.mean() ** 2 + 1e-5).sqrt()
        for c in tokens.flatten(0, 1).unbind(1)
    ]
    return torch.stack(channels, 1)


def test_the_loss_is_the_papers(config):
    model = build(config).double()
    data = model.data_preprocessor(batch(), True)
    images = data['inputs'] = data['inputs'].double()
    loss = model(**data, mode='loss')['distill.loss_projector']
    weight = model.distiller.connectors['student'].proj.weight
    student = naive_norm(last_tokens(model.student, images) @ weight.T)
    teacher = naive_norm(last_tokens(model.teacher.model, images))
    torch.testing.assert_close(loss, 0.2 * (student - teacher).square().mean())
    assert loss > 0.1


def test_building_it_leaves_the_running_statistics_alone(config):
    model = build(config)
    for connector in model.distiller.connectors.values():
        norm = connector.norm
        assert norm.training and norm.num_batches_tracked == 0
        assert not norm.running_mean.any() and (norm.running_var == 1).all()


def test_a_trainable_projector_moves(config):
    model = build(config)
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    decays = {id(p): g['weight_decay'] for g in wrapper.param_groups for p in g['params']}
    connector = model.distiller.connectors['student']
    assert decays[id(connector.proj.weight)] == 0.05
    assert decays[id(connector.norm.weight)] == 0
    before = state(model)
    model.train_step(batch(), wrapper)
    moved = {k for k in changed(model, before) if k.startswith('distiller.')}
    trained = {STUDENT + k for k in ('proj.weight', 'norm.weight')}
    assert moved == trained | {side + k for side in (STUDENT, TEACHER) for k in STATISTICS}


def test_a_frozen_projector_does_not_and_its_statistics_are_live(config):
    model = build(config, {STUDENT + 'frozen': True})
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    before = state(model)
    for _ in range(2):
        model.train_step(batch(), wrapper)
    moved = {k for k in changed(model, before) if k.startswith('distiller.')}
    assert moved == {side + k for side in (STUDENT, TEACHER) for k in STATISTICS}
    assert 'architecture.backbone.layers.5.ffn.layers.1.weight' in changed(model, before)


def test_every_trainable_parameter_gets_a_gradient_in_the_first_step(config):
    model = build(config)
    losses = model(**model.data_preprocessor(batch(), True), mode='loss')
    sum(losses.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().max() > 1e-7, name


@pytest.fixture
def one_process(tmp_path):
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/meet', rank=0, world_size=1
    )
    yield
    cleanup()


@pytest.mark.parametrize('frozen', [False, True])
def test_ddp_needs_no_search_for_unused_parameters(frozen, config, one_process):
    """It would stop at the second step if a parameter had no gradient in the first."""
    plain = build(config, {STUDENT + 'frozen': frozen})
    wrapped = MMDistributedDataParallel(copy.deepcopy(plain), find_unused_parameters=False)
    for model in (plain, wrapped):
        wrapper = build_optim_wrapper(model, config.optim_wrapper)
        for _ in range(3):
            model.train_step(batch(), wrapper)
    assert not changed(wrapped.module, state(plain))


def test_the_checkpoint_has_it_and_the_exported_student_has_not(config, tmp_path):
    model = build(config)
    model.train_step(batch(), build_optim_wrapper(model, config.optim_wrapper))
    path = str(tmp_path / 'c.pth')
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    connectors = {k for k in model.state_dict() if not k.startswith('architecture.')}
    trained = {STUDENT + k for k in ('proj.weight', 'norm.weight')}
    assert connectors == trained | {s + k for s in (STUDENT, TEACHER) for k in STATISTICS}

    student = read_student(config, path)
    plain = MODELS.build(config.model.architecture)
    assert student.model.state_dict().keys() == plain.state_dict().keys()
    assert 'Projector' not in str(student.config)
    images = student.images(2)
    model.eval()
    assert torch.equal(student.model(images), model.student(images))


def test_the_shorthand_is_the_vocabulary_written_out(config):
    """The same connectors, drawn alike, and the same loss."""
    short = copy.deepcopy(config)
    short.model.distiller = None
    short.model.pairs, short.model.pair_loss = [(5, 5)], dict(type='mmvitkd.FeatureMSELoss')
    short.model.pair_loss.loss_weight = 0.2
    short.model.pair_projector = dict(in_channels=32, out_channels=64)
    losses = []
    for cfg in (config, short):
        torch.manual_seed(0)
        model = build(cfg)
        data = model.data_preprocessor(batch(), training=True)
        losses.append([x.item() for x in model(**data, mode='loss').values()])
    assert losses[0] == losses[1]


def test_a_shorthand_without_pairs_is_refused(config):
    config.model.pair_projector = dict(in_channels=32, out_channels=64)
    with pytest.raises(ValueError, match=r'pair_projector=.* needs pairs, found None'):
        build(config)


@pytest.fixture
def train(config, tmp_path, monkeypatch):
    """Trains on 20 images of noise, 2 steps an epoch; returns the last weights."""
    images = ('train', 0), ('train', 1), ('val', 0)  # without val, some of train are held out
    names = [f'{split}/{label}/{i}.png' for label in range(10) for split, i in images]
    write_noise(tmp_path / 'digits', *names, size=(28, 28, 3))
    monkeypatch.setattr(Runner, '_log_env', lambda *args: None)  # it calls compilers

    def train(folder, epochs, seed=0, resume=None, **options):
        cfg = copy.deepcopy(config)
        cfg.merge_from_dict({f'model.{k}': v for k, v in options.items()})
        cfg.train_dataloader.dataset.data_root = str(tmp_path / 'digits')
        cfg.train_dataloader.batch_size = 8
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        cfg.train_cfg = dict(by_epoch=True, max_epochs=epochs)
        cfg.param_scheduler = None
        cfg.work_dir, cfg.experiment_name = str(tmp_path / folder), f'projector_{next(RUNS)}'
        if resume is not None:
            cfg.resume, cfg.load_from = True, str(tmp_path / resume)
        cfg.randomness.seed, cfg.log_level = seed, 'ERROR'
        Runner.from_cfg(cfg).train()
        path = tmp_path / folder / f'epoch_{epochs}.pth'
        return torch.load(path, weights_only=True)['state_dict']

    return train


def test_a_resumed_run_goes_on_with_its_projector(train):
    whole, resumed = train('whole', 2), train('resumed', 2, resume='whole/epoch_1.pth')
    assert resumed.keys() == whole.keys()
    for name, value in whole.items():
        assert torch.equal(resumed[name], value), name
    assert whole[STUDENT + 'norm.num_batches_tracked'] == 4


def test_a_frozen_projector_is_the_checkpoints_whatever_the_seed(train):
    frozen, proj = {STUDENT + 'frozen': True}, STUDENT + 'proj.weight'
    first = train('first', 1, **frozen)
    assert not torch.equal(train('other', 1, seed=1, **frozen)[proj], first[proj])
    resumed = train('resumed', 2, seed=1, resume='first/epoch_1.pth', **frozen)
    assert torch.equal(resumed[proj], first[proj])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            {STUDENT + 'in_channels': 24},
            r"connectors\['student'\]: in_channels=24, but the feature .* is 32 wide",
        ),
        (
            {TEACHER + 'in_channels': 32},
            r"connectors\['teacher'\]: in_channels=32, but the feature .* is 64 wide",
        ),
        (
            {STUDENT + 'out_channels': 48},
            r"connectors\['student'\]\.out_channels=48, but preds_T is 64 wide",
        ),
        (
            {
                'distiller.connectors.teacher': dict(type='mmvitkd.TokensToMap', _delete_=True),
                STUDENT + 'out_channels': 128,
            },
            r"connectors\['student'\]\.out_channels=128, but preds_T is 64 wide",
        ),
        (
            {'distiller.connectors.old': dict(type='mmvitkd.TokensToMap')},
            r"distiller\.connectors\['old'\]: no mapping in .* uses it",
        ),
    ],
)
def test_what_does_not_fit_fails_at_build(options, message, config):
    with pytest.raises(ValueError, match=message):
        build(config, options)


@pytest.mark.parametrize(
    ('projector', 'message'),
    [
        (dict(out_channels=48), r"the teacher's width: in_channels=48, .* is 64 wide"),
        (
            dict(out_channels=48, norm='LN'),
            r'pair_projector\.out_channels=48, but preds_T is 64',
        ),
        (
            dict(in_channels=48),
            r'pair_projector: in_channels=48, but the feature .* is 32 wide',
        ),
    ],
)
def test_a_shorthand_that_does_not_fit_names_its_own_key(projector, message, config):
    config.model.distiller = None
    config.model.pairs, config.model.pair_loss = [(5, 5)], dict(type='mmvitkd.FeatureMSELoss')
    config.model.pair_projector = {'in_channels': 32, 'out_channels': 64, **projector}
    with pytest.raises(ValueError, match=message):
        build(config)
