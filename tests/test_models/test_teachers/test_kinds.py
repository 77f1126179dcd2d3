"""Every kind of teacher distils one step into a small student, and its numbers are right."""

import copy
import sys

import mmvitkd  # noqa: F401

import pytest
import safetensors.torch
import timm
import torch
import torch.nn.functional as F
from folders import write_noise
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from toy import MEAN, PREPROCESSOR, STD, WIDE_ARCH, vit
from toy_distillation import loss_arguments

MSE = dict(type='mmvitkd.FeatureMSELoss', loss_weight=1.0)
SMALL = dict(img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=2, num_classes=5)
SWIN = dict(
    img_size=32,
    patch_size=2,
    window_size=4,
    embed_dim=16,
    depths=(1, 2, 1),
    num_heads=(1, 2, 4),
    num_classes=5,
)
SOFT_KD = dict(
    student_recorders=dict(logits=dict(type='ModuleOutputs', source='head')),
    teacher_recorders=dict(logits=dict(type='ModuleOutputs', source='')),
    distill_losses=dict(loss_kd=dict(type='KLDivergence', tau=1.0, loss_weight=1.0)),
    loss_forward_mappings=dict(
        loss_kd=dict(
            preds_S=dict(recorder='logits', from_student=True),
            preds_T=dict(recorder='logits', from_student=False),
        )
    ),
)


def distill(teacher, pair=(2, 1), student=None, **kwargs):
    """A distillation into a small ViT with a 4 x 4 grid."""
    config = dict(
        type='mmvitkd.FeatureDistill',
        architecture=student or vit(),
        teacher=teacher,
        pairs=[pair],
        pair_loss=MSE,
    )
    return MODELS.build(copy.deepcopy({**config, **kwargs}))


def one_step(model):
    """Train one step; return the losses and whether the student moved."""
    torch.manual_seed(1)
    data = dict(
        inputs=torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8),
        data_samples=[DataSample().set_gt_label(i) for i in range(2)],
    )
    model.init_weights()
    before = model.student.backbone.patch_embed.projection.weight.clone()
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    losses = model.train_step(data, optimizer)
    moved = not torch.equal(before, model.student.backbone.patch_embed.projection.weight)
    return {name: value.item() for name, value in losses.items()}, moved


def check(model):
    losses, moved = one_step(model)
    assert losses['distill.loss_pair_0'] > 0
    assert moved


def randomised(model):
    """Give every parameter a value that no initialisation has."""
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return model.eval()


@pytest.fixture
def images():
    """Two images as the student's preprocessor hands them over, and their pixels."""
    pixels = torch.randint(0, 256, (2, 3, 32, 32)).float()  # RGB
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    return (pixels - mean) / std, pixels


def test_a_timm_name_gets_its_weights_from_timm(monkeypatch):
    source = randomised(timm.create_model('deit_tiny_patch16_224'))
    hub = 'timm.models._builder.load_state_dict_from_hf'
    monkeypatch.setattr(hub, lambda *args, **kwargs: dict(source.state_dict()))
    model = distill('timm:deit_tiny_patch16_224', pair=(2, 11))
    assert torch.equal(model.teacher.model.model.head.weight, source.head.weight)
    check(model)


@pytest.mark.parametrize('suffix', ['pth', 'safetensors', 'bin'])
def test_a_timm_name_with_a_local_file(suffix, tmp_path, images):
    source = randomised(timm.create_model('deit_tiny_patch16_224'))
    path = str(tmp_path / f'pytorch_model.{suffix}')
    save = safetensors.torch.save_file if suffix == 'safetensors' else torch.save
    save(dict(source.state_dict()), path)
    model = distill('timm:deit_tiny_patch16_224', pair=(2, 11), teacher_ckpt=path)
    large = F.interpolate(images[0], (224, 224), mode='bicubic', antialias=True)
    torch.testing.assert_close(model.teacher.logits(images[0]), source(large))
    check(model)


def test_a_timm_name_comes_before_an_inherited_one():
    inherited = dict(type='TimmClassifier', model_name='cait_xxs24_224', pretrained=False)
    teacher = {**inherited, 'type': 'timm:deit_tiny_patch16_224', **SMALL}
    model = distill(teacher, allow_random_teacher=True)
    assert type(model.teacher.model.model).__name__ == 'VisionTransformer'


def test_a_timm_name_takes_arguments(tmp_path):
    kind = 'timm:vit_tiny_patch16_224'
    path = str(tmp_path / 'own.pth')
    torch.save(timm.create_model('vit_tiny_patch16_224', **SMALL).state_dict(), path)
    check(distill(dict(type=kind, **SMALL), teacher_ckpt=path))


def test_a_folder_that_timm_saved_for_the_hub(tmp_path):
    source = randomised(timm.create_model('deit_tiny_patch16_224', **SMALL))
    timm.models._hub.save_for_hf(source, str(tmp_path), model_args=SMALL)
    model = distill(f'timm:local-dir:{tmp_path}')
    assert torch.equal(model.teacher.model.model.head.weight, source.head.weight)
    check(model)


@pytest.fixture
def config_file(tmp_path):
    """An MMPretrain config with its preprocessor next to the model."""
    model = vit(WIDE_ARCH)
    preprocessor = dict(model.pop('data_preprocessor'), mean=[127.5] * 3, std=[127.5] * 3)
    path = tmp_path / 'config.py'
    path.write_text(f'model = {model}\ndata_preprocessor = {preprocessor}\n')
    return path


def test_a_config_file_with_its_checkpoint(config_file, tmp_path, images):
    source = randomised(MODELS.build(vit(WIDE_ARCH)))
    path = str(tmp_path / 'teacher.pth')
    torch.save(dict(state_dict=source.state_dict(), meta={}), path)
    model = distill(str(config_file), pair=(2, 3), teacher_ckpt=path)
    wanted = source(images[1] / 127.5 - 1)
    torch.testing.assert_close(model.teacher.logits(images[0]), wanted)
    check(model)


def test_a_training_checkpoint_that_mmengine_wrote(config_file, tmp_path):
    """It holds pickled log buffers, which must not be needed to get at the weights."""
    dataset = [
        dict(inputs=torch.zeros(3, 32, 32), data_samples=DataSample().set_gt_label(i % 5))
        for i in range(4)
    ]
    runner = Runner(
        model=vit(WIDE_ARCH),
        work_dir=str(tmp_path / 'run'),
        train_dataloader=dict(
            batch_size=2,
            dataset=dataset,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(checkpoint=dict(type='mmengine.CheckpointHook')),
        default_scope='mmpretrain',
        experiment_name='whole_checkpoint',
    )
    runner.train()
    path = str(tmp_path / 'run' / 'epoch_1.pth')
    with pytest.raises(Exception, match='Weights only load failed'):
        torch.load(path, weights_only=True)
    model = distill(str(config_file), pair=(2, 3), teacher_ckpt=path)
    for name, value in runner.model.state_dict().items():
        assert torch.equal(model.teacher.model.state_dict()[name], value), name
    check(model)


def test_a_config_that_says_its_classes_and_statistics_once(tmp_path):
    images = tmp_path / 'images'
    names = [f'{split}/{c}/{i}.png' for split in ('train', 'val') for c in 'ab' for i in (0, 1)]
    write_noise(images, *names)
    dataset = dict(type='mmvitkd.ImageFolder', data_root=str(images), split='train')
    model = vit(WIDE_ARCH)
    del model['data_preprocessor'], model['head']['num_classes']
    path = tmp_path / 'teacher.py'
    path.write_text(
        f'num_classes = 7\nmodel = {model}\ntrain_dataloader = dict(dataset={dataset})\n'
        "data_preprocessor = dict(mean='measured', std='measured', to_rgb=True)\n"
    )
    teacher = distill(str(path), pair=(2, 3), allow_random_teacher=True).teacher.model
    assert teacher.head.num_classes == 7
    assert teacher.data_preprocessor.mean.flatten().tolist() == pytest.approx([127] * 3, abs=9)


def test_a_config_of_ours_by_its_prefix():
    student = vit()
    student['backbone'].update(img_size=28, patch_size=7)
    name = 'mmvitkd::mnist5k/vit_64.py'
    model = distill(name, pair=(2, 5), student=student, allow_random_teacher=True)
    assert model.teacher.model.backbone.embed_dims == 64


def test_a_student_of_an_earlier_distillation(tmp_path):
    first = distill(vit(WIDE_ARCH), pair=(2, 3), allow_random_teacher=True)
    randomised(first.student)
    path, config = str(tmp_path / 'first.pth'), tmp_path / 'first.py'
    torch.save(dict(state_dict=first.state_dict()), path)
    config.write_text(f'model = dict(architecture={vit()}, teacher=None)\n')
    model = distill(str(config), pair=(2, 2), teacher_ckpt=path)
    assert torch.equal(model.teacher.model.backbone.pos_embed, first.student.backbone.pos_embed)
    check(model)


def test_swin_stages_of_timm(images):
    """Its stages return maps with channels last; the second is 8 x 8, 32 wide."""
    teacher = dict(type='timm:swin_tiny_patch4_window7_224', **SWIN)
    model = distill(teacher, pair=(2, 1), allow_random_teacher=True)
    stages = model.teacher.model.model
    with torch.no_grad():
        wanted = stages.layers[1](stages.layers[0](stages.patch_embed(images[0])))
    assert wanted.shape == (2, 8, 8, 32)
    found = loss_arguments(model, images[0])['preds_T']
    torch.testing.assert_close(found.to_map(), wanted.permute(0, 3, 1, 2))
    check(model)


MMPRETRAIN_SWIN = dict(
    type='mmpretrain.ImageClassifier',
    data_preprocessor=dict(PREPROCESSOR),
    backbone=dict(
        type='SwinTransformer',
        arch=dict(embed_dims=16, depths=[1, 1, 2, 1], num_heads=[1, 2, 4, 8]),
        img_size=32,
        patch_size=2,
        window_size=2,
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=5, in_channels=128),
)


@pytest.mark.parametrize('stage', [0, 2, 3])
def test_swin_stages_of_mmpretrain(stage, images):
    """A stage returns tokens and the grid of its own output."""
    config = copy.deepcopy(MMPRETRAIN_SWIN)
    config['backbone']['out_indices'] = (stage,)
    config['backbone']['norm_cfg'] = None  # as recorded: without the output's norm
    config['head']['in_channels'] = 16 * 2**stage
    model = distill(config, pair=(2, stage), allow_random_teacher=True)
    wanted = model.teacher.model.backbone(images[0])[0]
    found = loss_arguments(model, images[0])['preds_T']
    assert found.grid == (16 // 2**stage, 16 // 2**stage)
    torch.testing.assert_close(found.to_map(), wanted)
    check(model)


def test_a_swin_student(images):
    model = distill(
        dict(type='timm:swin_tiny_patch4_window7_224', **SWIN),
        pair=(2, 2),
        student=copy.deepcopy(MMPRETRAIN_SWIN),
        allow_random_teacher=True,
    )
    found = loss_arguments(model, images[0])['preds_S']
    assert found.tokens.shape == (2, 16, 64) and found.grid == (4, 4)
    check(model)


@pytest.mark.parametrize(
    ('name', 'extra'),
    [
        ('deit_tiny_distilled_patch16_224', 2),
        ('vit_small_patch14_reg4_dinov2', 5),
        ('cait_xxs24_224', 0),
    ],
)
def test_extra_tokens_are_left_out(name, extra, images):
    model = distill(dict(type=f'timm:{name}', **SMALL), allow_random_teacher=True)
    tokens = model.teacher(images[0])['pair_0']
    assert tokens.shape == (2, extra + 16, 32)
    found = loss_arguments(model, images[0])['preds_T']
    assert torch.equal(found.tokens, tokens[:, extra:]) and found.grid == (4, 4)
    check(model)


def test_a_distilled_deit_of_mmpretrain():
    teacher = vit(WIDE_ARCH)
    teacher['backbone']['type'] = 'mmpretrain.DistilledVisionTransformer'
    teacher['head'] = dict(type='DeiTClsHead', num_classes=5, in_channels=32)
    model = distill(teacher, pair=(2, 3), allow_random_teacher=True)
    assert model.teacher(torch.zeros(1, 3, 32, 32))['pair_0'].shape == (1, 18, 32)
    check(model)


def test_a_teacher_of_two_heads_gives_their_mean(images):
    teacher = dict(type='timm:deit_tiny_distilled_patch16_224', **SMALL)
    model = distill(teacher, allow_random_teacher=True, distiller=SOFT_KD)
    network = randomised(model.teacher.model.model)
    with torch.no_grad():
        tokens = network.forward_features(images[0])
        wanted = (network.head(tokens[:, 0]) + network.head_dist(tokens[:, 1])) / 2
    torch.testing.assert_close(model.teacher(images[0])['logits'], wanted)
    check(model)


def test_the_original_file_of_dinov2(tmp_path):
    """It has a mask token, and position embeddings of another grid than asked for."""
    name, small = 'vit_small_patch14_dinov2', dict(embed_dim=32, depth=2, num_heads=2)
    source = timm.create_model(name, img_size=84, **small).state_dict()
    source = {**source, 'mask_token': torch.zeros(1, 32)}
    for key in list(source):
        if '.ls' in key:
            assert key.endswith('.gamma')  # the original's name for a layer's scale
    path = str(tmp_path / 'dinov2_vits14_pretrain.pth')
    torch.save(source, path)
    model = distill(dict(type=f'timm:{name}', img_size=56, **small), teacher_ckpt=path)
    network = model.teacher.model.model
    assert network.pos_embed.shape == (1, 17, 32)
    assert torch.equal(network.blocks[1].ls2.gamma, source['blocks.1.ls2.gamma'])
    check(model)


def test_clip_brings_its_own_mean_and_std(images):
    name = 'vit_base_patch16_clip_224.openai'
    model = distill(dict(type=f'timm:{name}', **SMALL), allow_random_teacher=True)
    cfg = timm.get_pretrained_cfg(name)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (cfg.mean, cfg.std))
    assert cfg.mean != timm.data.IMAGENET_DEFAULT_MEAN
    wanted = model.teacher.model((images[1] / 255 - mean) / std)
    torch.testing.assert_close(model.teacher.logits(images[0]), wanted, atol=1e-5, rtol=1e-4)
    check(model)


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr(
        sys.modules['mmvitkd.models.algorithms.dry_run'],
        'print_log',
        lambda text, **_: lines.append(text),
    )
    return lines


@pytest.mark.parametrize('side', ['student', 'teacher', 'both'])
def test_a_grid_that_is_not_square(side):
    """4 x 5 patches and a class token would read as 4 x 4 after five extra tokens."""
    student, teacher = vit(), {'type': 'timm:deit_tiny_patch16_224', **SMALL}
    if side != 'teacher':
        student['backbone']['img_size'] = (32, 40)
    if side != 'student':
        teacher['img_size'] = (32, 40)
    model = distill(teacher, student=student, allow_random_teacher=True)
    images = torch.randn(2, 3, 32, 32 if side == 'teacher' else 40)
    found = loss_arguments(model, images)
    assert found['preds_S'].grid == (4, 4 if side == 'teacher' else 5)
    assert found['preds_T'].grid == (4, 4 if side == 'student' else 5)


@pytest.mark.parametrize('name', ['pvt_v2_b0', 'mvitv2_tiny', 'tiny_vit_5m_224', 'resnet18'])
def test_teachers_of_other_families(name):
    """Some say no size, some name blocks that are none: a message, or it trains."""
    teacher = dict(type=f'timm:{name}', num_classes=5)
    try:
        model = distill(teacher, pair=(2, 3), allow_random_teacher=True)
    except ValueError as error:
        assert name == 'mvitv2_tiny'
        assert 'pairs[0][1]=3: the blocks of TimmClassifier' in str(error)
    else:
        check(model)


@pytest.mark.parametrize('kind', ['timm', 'mmpretrain'])
def test_another_size_and_grid(kind, images, said):
    """48 x 48 images, a grid of 6 x 6 tokens: resized for the teacher, and back."""
    if kind == 'timm':
        teacher = {'type': 'timm:deit_tiny_patch16_224', **SMALL, 'img_size': 48}
    else:
        teacher = vit(dict(WIDE_ARCH, num_layers=2))
        teacher['backbone']['img_size'] = 48
    model = distill(teacher, allow_random_teacher=True)
    assert 'made for 48 x 48' in said[0]
    assert "grid of 6 x 6 is interpolated to the student's, 4 x 4" in said[1]

    network, tokens = model.teacher.model, []
    hook = lambda module, inputs, output: tokens.append(output)  # noqa: E731
    blocks = network.model.blocks if kind == 'timm' else network.backbone.layers
    handle = blocks[1].register_forward_hook(hook)
    network(F.interpolate(images[0], (48, 48), mode='bicubic', antialias=True))
    student_blocks = model.student.backbone.layers
    student_blocks[2].register_forward_hook(hook)
    model.student(images[0])
    handle.remove()
    of_teacher, of_student = (t[:, 1:].transpose(1, 2) for t in tokens)
    of_teacher = of_teacher.unflatten(2, (6, 6)).unflatten(1, (16, 2)).mean(2)
    of_teacher = F.interpolate(of_teacher, (4, 4), mode='bilinear', antialias=True)
    wanted = (of_student.unflatten(2, (4, 4)) - of_teacher).square().mean()
    samples = [DataSample().set_gt_label(0)] * 2
    losses = model.loss(images[0], samples)
    torch.testing.assert_close(losses['distill.loss_pair_0'], wanted)
    check(model)


def test_other_classes_leave_the_features(said):
    teacher = {'type': 'timm:vit_tiny_patch16_224', **SMALL, 'num_classes': 7}
    check(distill(teacher, allow_random_teacher=True))
    message = r'student has 5 classes, the teacher 7 outputs.*distiller=dict\(_delete_=True\)'
    with pytest.raises(ValueError, match=message):
        distill(teacher, allow_random_teacher=True, distiller=SOFT_KD)


def test_what_that_message_advises_works(tmp_path):
    base, own = tmp_path / 'base.py', tmp_path / 'own.py'
    base.write_text(f'model = dict(distiller={SOFT_KD})')
    own.write_text("_base_ = './base.py'\nmodel = dict(distiller=dict(_delete_=True))")
    teacher = {'type': 'timm:vit_tiny_patch16_224', **SMALL, 'num_classes': 7}
    distiller = Config.fromfile(own).model.distiller
    check(distill(teacher, allow_random_teacher=True, distiller=distiller))


@pytest.mark.parametrize(
    ('teacher', 'message'),
    [
        ('timm:cait_s24_225', r"no model 'cait_s24_225'. Similar names: .*cait_s24_224"),
        (dict(type='TimmClassifier', model_name='deit_tinny'), r'Similar names: .*deit_tiny'),
        (
            'timm:deit_small_patch16_224.fb_in22k',
            r"no weights 'deit_small_patch16_224.fb_in22k'. It has: .*\.fb_in1k",
        ),
        ('cait_s24_224', r"teacher='cait_s24_224': wanted 'timm:NAME', the path of a config"),
    ],
)
def test_a_name_that_does_not_exist(teacher, message):
    with pytest.raises(ValueError, match=message):
        distill(teacher)


def test_a_config_that_does_not_exist():
    with pytest.raises(FileNotFoundError, match=r'none\.py'):
        distill('none.py')


def test_a_config_without_a_model(tmp_path):
    path = tmp_path / 'empty.py'
    path.write_text('x = 1\n')
    with pytest.raises(ValueError, match=r'empty\.py.*has no model'):
        distill(str(path))


def test_a_checkpoint_of_another_architecture(tmp_path):
    path = str(tmp_path / 'resnet.pth')
    torch.save(timm.create_model('test_resnet').state_dict(), path)
    with pytest.raises(
        ValueError, match=r'(?s)resnet\.pth.*not fit the model, a VisionTr.*missing'
    ):
        distill('timm:deit_tiny_patch16_224', teacher_ckpt=path)
