"""Students from a pretrained model: which tensors are filled, which new, what is refused."""

import copy

import mmvitkd  # noqa: F401
from mmvitkd.models.students import init_from_checkpoint as pretrained
from mmvitkd.models.students import narrow_start

import pytest
import timm
import torch
import torch.nn.functional as F
from mmpretrain.registry import MODELS
from safetensors.torch import save_file
from torch import nn

ARCH = dict(embed_dims=16, num_layers=4, num_heads=2, feedforward_channels=64)
VIT = dict(type='VisionTransformer', arch=ARCH, img_size=32, patch_size=8)
SWIN_ARCH = dict(embed_dims=16, depths=[1, 2], num_heads=[1, 2])
SWIN = dict(type='SwinTransformer', arch=SWIN_ARCH, img_size=32, window_size=2, out_indices=[1])
# Tensors and parameters of a block 16 wide, and of what is before the first one.
BLOCK, BLOCK_PARAMETERS = 12, 12 * 16**2 + 13 * 16
STEM, STEM_PARAMETERS = 4, (17 + 1 + 8 * 8 * 3 + 1) * 16


def _shaken(model: nn.Module) -> nn.Module:
    """Every parameter another than it would be initialised to."""
    with torch.no_grad():
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.3)
    model.eval()
    return model


def _classifier(backbone, width, classes=5, neck=None, head='VisionTransformerClsHead'):
    head = dict(type=head, num_classes=classes, in_channels=width)
    model = dict(type='ImageClassifier', backbone=backbone, neck=neck, head=head)
    return _shaken(MODELS.build(model))


def _plain(classes=5, **backbone):
    return _classifier(VIT | backbone, 16, classes)


def _wide(classes=5, width=32, **wide):
    backbone = dict(type='mmvitkd.WideLast', base=VIT, width=width, **wide)
    return _classifier(backbone, 32, classes)


def _lift(classes=5):
    backbone = VIT | dict(out_type='raw', final_norm=False)
    neck = dict(type='mmvitkd.LiftProjector', in_channels=16, out_channels=32)
    return _classifier(backbone, 32, classes, neck, 'LinearClsHead')


def _swin(**wide):
    backbone = dict(type='mmvitkd.WideLast', base=SWIN, **wide) if wide else SWIN
    neck = dict(type='GlobalAveragePooling')
    return _classifier(backbone, wide.get('width', 32), 5, neck, 'LinearClsHead')


def _timm(name='deit_tiny_patch16_224', classes=5, size=32):
    sizes = dict(img_size=size, patch_size=8, embed_dim=16, depth=4, num_heads=2)
    return _shaken(timm.create_model(name, num_classes=classes, **sizes))


def _save(path, state: dict) -> str:
    torch.save(state, path)
    return str(path)


@pytest.fixture
def said(monkeypatch):
    lines = []
    log = lambda text, **_: lines.append(text)  # noqa: E731
    monkeypatch.setattr(pretrained, 'print_log', log)
    return lines


def _images() -> torch.Tensor:
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def _blocks_of(model, blocks) -> list[torch.Tensor]:
    """What each block puts out (B, N, C) for the images."""
    outs = []
    handles = [b.register_forward_hook(lambda *args: outs.append(args[-1])) for b in blocks]
    with torch.no_grad():
        model(_images())
    for handle in handles:
        handle.remove()
    return outs


# From timm ----------------------------------------------------------------------------


def test_a_plain_student_equals_timms_model(tmp_path, said):
    theirs, student = _timm(), _plain()
    path = _save(tmp_path / 'deit_tiny.pth', theirs.state_dict())
    narrow_start(student, path).load(student)
    with torch.no_grad():
        torch.testing.assert_close(student(_images()), theirs(_images()), atol=1e-5, rtol=1e-5)
    parameters = 4 * BLOCK_PARAMETERS + STEM_PARAMETERS + 2 * 16 + 17 * 5
    assert said == [
        f'Student starts from {path}: {4 * BLOCK + STEM + 4} tensors '
        f'({parameters / 1e6:.3g} M parameters) filled; '
        'new: nothing; unused of the file: nothing'
    ]


@pytest.mark.parametrize('wrapped', ['plain', 'deit', 'safetensors', 'parallel'])
def test_the_blocks_before_the_wide_one_equal_timms(tmp_path, said, wrapped):
    theirs, student = _timm(), _wide()
    state = theirs.state_dict()
    if wrapped == 'safetensors':
        path = str(tmp_path / 'deit_tiny.safetensors')
        save_file(state, path)
    else:
        parallel = {f'module.{k}': v for k, v in state.items()}
        content = dict(plain=state, deit=dict(model=state), parallel=dict(state_dict=parallel))
        path = _save(tmp_path / 'deit_tiny.pth', content[wrapped])
    before = copy.deepcopy(student.state_dict())
    narrow_start(student, path).load(student)
    found = _blocks_of(student, student.backbone.layers[:3])
    wanted = _blocks_of(theirs, theirs.blocks[:3])
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    new = ('backbone.layers.3.', 'backbone.ln1.', 'head.')
    after = student.state_dict()
    assert {k for k in after if torch.equal(before[k], after[k])} == {
        k for k in after if k.startswith(new)
    }
    names = 'backbone.layers.3.*, backbone.ln1.*, head.*'
    parameters = 3 * BLOCK_PARAMETERS + STEM_PARAMETERS
    assert said == [
        f'Student starts from {path}: {3 * BLOCK + STEM} tensors '
        f'({parameters / 1e6:.3g} M parameters) filled; '
        f'new: {names}; unused of the file: {names}'
    ]


def test_a_lift_student_takes_all_blocks(tmp_path, said):
    theirs, student = _timm(), _lift()
    path = _save(tmp_path / 'deit_tiny.pth', theirs.state_dict())
    narrow_start(student, path).load(student)
    found = _blocks_of(student, student.backbone.layers)
    torch.testing.assert_close(found, _blocks_of(theirs, theirs.blocks), atol=1e-5, rtol=1e-5)
    end = 'new: neck.*, head.*; unused of the file: backbone.ln1.*, head.*'
    assert said[0].endswith(end)


def test_all_wide_blocks_are_new(tmp_path):
    student = _wide(num_wide_blocks=2, schedule='heads_linear')
    path = _save(tmp_path / 'deit_tiny.pth', _timm().state_dict())
    start = narrow_start(student, path)
    assert start.new == [f'backbone.{n}.*' for n in ('layers.2', 'layers.3', 'ln1')] + [
        'head.*'
    ]


def test_another_number_of_classes_leaves_the_head_new(tmp_path):
    path = _save(tmp_path / 'deit_tiny.pth', _timm(classes=7).state_dict())
    assert narrow_start(_plain(), path).new == ['head.*']
    assert narrow_start(_plain(classes=7), path).new == []


def test_another_kind_of_head_is_new(tmp_path):
    student = _classifier(VIT, 16, head='LinearClsHead')
    path = _save(tmp_path / 'deit_tiny.pth', _timm().state_dict())
    assert narrow_start(student, path).new == ['head.*']


def test_a_distilled_model_loses_its_second_token(tmp_path):
    theirs, student = _timm('deit_tiny_distilled_patch16_224'), _plain()
    path = _save(tmp_path / 'distilled.pth', theirs.state_dict())
    start = narrow_start(student, path)
    start.load(student)
    places = theirs.pos_embed.detach()
    assert torch.equal(student.backbone.pos_embed[:, 1:], places[:, 2:])
    assert torch.equal(student.backbone.pos_embed[:, 0], places[:, 0])
    assert start.unused == ['backbone.dist_token', 'head.*']
    assert start.new == ['head.*']  # two heads in the file, DeiTClsHead's


def test_a_distilled_student_takes_a_distilled_model_whole(tmp_path):
    backbone = VIT | dict(type='DistilledVisionTransformer')
    student = _classifier(backbone, 16, head='DeiTClsHead')
    theirs = _timm('deit_tiny_distilled_patch16_224')
    path = _save(tmp_path / 'distilled.pth', theirs.state_dict())
    start = narrow_start(student, path)
    start.load(student)
    assert (start.new, start.unused) == ([], [])
    with torch.no_grad():
        torch.testing.assert_close(student(_images()), theirs(_images()), atol=1e-5, rtol=1e-5)


def test_a_student_without_a_class_token_drops_its_place(tmp_path):
    theirs = _timm(size=64)
    path = _save(tmp_path / 'deit_tiny.pth', theirs.state_dict())
    student = _plain(with_cls_token=False, out_type='avg_featmap', final_norm=False)
    with pytest.raises(ValueError, match=r'ln2.weight: wanted \(16,\), found not in the file'):
        narrow_start(student, path)
    student = _wide(num_wide_blocks=4)
    student.backbone = MODELS.build(VIT | dict(with_cls_token=False, out_type='raw'))
    start = narrow_start(student, path)
    start.load(student)
    grid = theirs.pos_embed.detach()[:, 1:].unflatten(1, (8, 8)).permute(0, 3, 1, 2)
    wanted = F.interpolate(grid, (4, 4), mode='bicubic').flatten(2).transpose(1, 2)
    torch.testing.assert_close(student.backbone.pos_embed.detach(), wanted)
    assert 'backbone.cls_token' in start.unused


@pytest.mark.parametrize('build', [_plain, _wide, _lift])
def test_positions_of_another_grid_are_resized(tmp_path, build):
    theirs, student = _timm(size=64), build()
    path = _save(tmp_path / 'deit_tiny.pth', theirs.state_dict())
    narrow_start(student, path).load(student)
    places = theirs.pos_embed.detach()
    grid = places[:, 1:].unflatten(1, (8, 8)).permute(0, 3, 1, 2)
    wanted = F.interpolate(grid, (4, 4), mode='bicubic').flatten(2).transpose(1, 2)
    found = student.backbone.pos_embed.detach()
    torch.testing.assert_close(found, torch.cat([places[:, :1], wanted], 1))


# From MMPretrain and from us ----------------------------------------------------------


@pytest.mark.parametrize('alone', [False, True])
@pytest.mark.parametrize('build', [_plain, _wide, _lift])
def test_mmpretrains_own_names(tmp_path, build, alone):
    theirs, student = _plain(), build()
    saved = (theirs.backbone if alone else theirs).state_dict()
    path = _save(tmp_path / 'vit.pth', dict(meta=dict(epoch=1), state_dict=saved))
    narrow_start(student, path).load(student)
    theirs_blocks = theirs.backbone.layers[:3]
    found = _blocks_of(student, student.backbone.layers[:3])
    assert all(map(torch.equal, found, _blocks_of(theirs, theirs_blocks)))
    filled_head = build is _plain and not alone
    assert filled_head == torch.equal(
        next(iter(student.head.parameters())), next(iter(theirs.head.parameters()))
    )


@pytest.mark.parametrize('build', [_plain, _wide, _lift])
def test_a_distillations_checkpoint_fills_the_same_student_whole(tmp_path, said, build):
    trained, student = build(), build()
    state = {f'architecture.{k}': v for k, v in trained.state_dict().items()}
    state['distiller.connectors.pair_0.weight'] = torch.zeros(3)
    path = _save(tmp_path / 'epoch_1.pth', dict(state_dict=state))
    narrow_start(student, path).load(student)
    assert torch.equal(student(_images()), trained(_images()))
    assert said[0].endswith('new: nothing; unused of the file: nothing')


def test_a_part_is_filled_whole_or_not_at_all(tmp_path):
    trained, student = (
        _wide(width=[16, 32], num_wide_blocks=2),
        _wide(width=[32, 32], num_wide_blocks=2),
    )
    path = _save(tmp_path / 'wide.pth', trained.state_dict())
    start = narrow_start(student, path)
    assert start.new == ['backbone.layers.2.*', 'backbone.layers.3.*']
    assert 'backbone.layers.3.attn.qkv.weight' not in start.weights
    assert start.unused == start.new


def test_the_student_is_not_touched_before_load(tmp_path):
    student = _plain()
    before = copy.deepcopy(student.state_dict())
    start = narrow_start(student, _save(tmp_path / 'deit.pth', _timm().state_dict()))
    assert all(torch.equal(v, before[k]) for k, v in student.state_dict().items())
    twin = copy.deepcopy(student)
    twin.init_weights()
    start.load(twin)
    assert all(torch.equal(v, before[k]) for k, v in student.state_dict().items())


# Swin ---------------------------------------------------------------------------------


def test_a_wide_swin_takes_all_but_its_wide_block(tmp_path, said):
    theirs, student = _swin(), _swin(width=64)
    path = _save(tmp_path / 'swin.pth', theirs.state_dict())
    narrow_start(student, path).load(student)
    names = ('stages.0', 'stages.1.blocks.0')
    found, wanted = (
        _blocks_of(m, [m.backbone.get_submodule(n) for n in names]) for m in (student, theirs)
    )
    assert torch.equal(found[0][0], wanted[0][0])
    assert torch.equal(found[1], wanted[1])
    assert said[0].endswith(
        'new: backbone.stages.1.blocks.1.*, backbone.norm1.*, head.*; unused of the file: '
        'backbone.norm1.*, backbone.stages.1.blocks.1.*, head.*'
    )


def test_an_old_swin_file_has_another_name_for_the_last_norm(tmp_path):
    theirs, student = _swin(), _swin()
    state = {k.replace('.norm1.', '.norm.', 1) if 'bone.norm1' in k else k: v
             for k, v in theirs.state_dict().items()}  # fmt: skip
    state = {k: v for k, v in state.items() if 'relative_position_index' not in k}
    state['backbone.stages.1.blocks.1.attn.attn_mask'] = torch.zeros(4, 4, 4)
    start = narrow_start(student, _save(tmp_path / 'swin.pth', state))
    start.load(student)
    assert (start.new, start.unused) == ([], [])
    assert torch.equal(student(_images()), theirs(_images()))


def test_timms_swin_is_refused_by_name(tmp_path):
    theirs = timm.create_model('swin_tiny_patch4_window7_224', embed_dim=12)
    path = _save(tmp_path / 'swin.pth', theirs.state_dict())
    with pytest.raises(ValueError, match=r"^student_ckpt=.* names of timm's Swin .* MMPretr"):
        narrow_start(_swin(), path)


# What does not fit --------------------------------------------------------------------


def test_another_width_is_an_error(tmp_path):
    wider = dict(ARCH, embed_dims=32, feedforward_channels=128)
    other = _classifier(VIT | dict(arch=wider), 32)
    path = _save(tmp_path / 'vit_32.pth', other.state_dict())
    with pytest.raises(ValueError, match='student_ckpt') as info:
        narrow_start(_plain(), path)
    lines = str(info.value).splitlines()
    assert lines[0] == (
        f'student_ckpt={path!r} does not fit the student: of the 54 tensors that it has to '
        'fill, 0 fit.'
    )
    assert lines[1] == '  backbone.cls_token: wanted (1, 1, 16), found (1, 1, 32)'
    assert lines[-2:] == ['  and 44 more', '  The file also has: head.*']
    assert len(lines) == 13


def test_a_swin_for_a_vit_is_refused(tmp_path):
    path = _save(tmp_path / 'swin.pth', _swin().state_dict())
    message = r'54 tensors .* fill, 1 fit.(.|\n)*cls_token: wanted \(1, 1, 16\), found not in'
    with pytest.raises(ValueError, match=message) as info:
        narrow_start(_plain(), path)
    assert 'The file also has: backbone.norm1.*, backbone.patch_embed.*,' in str(info.value)


def test_missing_tensors_are_listed(tmp_path):
    state = _timm().state_dict()
    del state['blocks.1.mlp.fc1.bias']
    path = _save(tmp_path / 'deit.pth', state)
    message = r'39 fit.\n  backbone.layers.1.ffn.layers.0.0.bias: wanted \(64,\), found not in'
    with pytest.raises(ValueError, match=message):
        narrow_start(_wide(), path)


def test_fewer_blocks_in_the_file_are_missing(tmp_path):
    path = _save(tmp_path / 'vit.pth', _plain(arch=dict(ARCH, num_layers=2)).state_dict())
    with pytest.raises(ValueError, match=r'backbone.layers.2.ln1.weight: wanted .* not in'):
        narrow_start(_wide(), path)


@pytest.mark.parametrize(
    ('name', 'change', 'extra'),
    [
        ('vit_small_patch14_dinov2', {}, r'backbone\.layers\.0\.\*'),  # its layer scales
        ('vit_base_patch16_clip_224.openai', {}, r'backbone\.pre_norm\.\*'),
        ('deit_tiny_patch16_224', dict(depth=6), r'backbone\.layers\.4\.\*'),
    ],
)
def test_a_file_of_another_function_is_refused(name, change, extra, tmp_path):
    """All that the student has is in the file, and more that it would need."""
    sizes = dict(img_size=32, patch_size=8, embed_dim=16, depth=4, num_heads=2, num_classes=5)
    theirs = _shaken(timm.create_model(name, **{**sizes, **change}))
    path = _save(tmp_path / 'other.pth', theirs.state_dict())
    student = _plain(patch_cfg=dict(bias='clip' not in name))
    with pytest.raises(ValueError, match=rf'other\.pth.* fit(.|\n)*also has: .*{extra}'):
        narrow_start(student, path)


def test_positions_of_a_grid_that_is_not_square_are_refused(tmp_path):
    path = _save(tmp_path / 'vit.pth', _plain(img_size=(16, 64)).state_dict())
    narrow_start(_plain(), path)  # as many places: taken as they are
    path = _save(tmp_path / 'vit.pth', _plain(img_size=(16, 40)).state_dict())
    with pytest.raises(ValueError, match=r'pos_embed: wanted \(1, 17, 16\), found \(1, 11, 16'):
        narrow_start(_plain(), path)


def test_keys_that_no_vit_has_are_listed(tmp_path):
    state = _timm().state_dict() | dict(reg_token=torch.zeros(1, 4, 16))
    path = _save(tmp_path / 'deit.pth', state)
    with pytest.raises(
        ValueError, match=r'^student_ckpt=.*: 1 of 57 keys are unknown: reg_token'
    ):
        narrow_start(_plain(), path)


def test_timms_weights_are_not_mmpretrains_deit3(tmp_path):
    theirs, student = _timm('deit3_small_patch16_224'), _plain(type='DeiT3')
    path = _save(tmp_path / 'deit3.pth', theirs.state_dict())
    with pytest.raises(ValueError, match=r'^student_ckpt=.*DeiT3, whose blocks normalise tw'):
        narrow_start(student, path)
    path = _save(tmp_path / 'deit3.pth', _plain(type='DeiT3').state_dict())
    assert narrow_start(student, path).new == []


def test_released_names_must_be_converted_first(tmp_path):
    state = {f'base_model.{k}': v for k, v in _timm().state_dict().items()}
    path = _save(tmp_path / 'lift.pth', state)
    with pytest.raises(ValueError, match=r'^student_ckpt=.*names of released_lift; convert'):
        narrow_start(_lift(), path)


def test_files_that_cannot_be_read_are_named(tmp_path):
    path = tmp_path / 'deit.pth'
    _save(path, _timm().state_dict())
    (tmp_path / 'half.pth').write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"^student_ckpt=.*half.pth' \([\d,]+ bytes\) cannot"):
        narrow_start(_plain(), str(tmp_path / 'half.pth'))
    with pytest.raises(FileNotFoundError, match=r"^student_ckpt=.*none.pth': there is no"):
        narrow_start(_plain(), str(tmp_path / 'none.pth'))
    with pytest.raises(ValueError, match=r'holds no weights'):
        narrow_start(_plain(), _save(tmp_path / 'empty.pth', dict(state_dict={})))


def test_a_model_without_a_backbone_is_refused(tmp_path):
    with pytest.raises(ValueError, match='found a Linear'):
        narrow_start(torch.nn.Linear(2, 2), _save(tmp_path / 'deit.pth', _timm().state_dict()))


# A student of timm's own --------------------------------------------------------------


def _timm_student(classes=5, width=16):
    sizes = dict(img_size=32, patch_size=8, embed_dim=width, depth=4, num_heads=2)
    name = 'deit_tiny_patch16_224'
    return MODELS.build(
        dict(type='TimmClassifier', model_name=name, num_classes=classes, **sizes)
    )


@pytest.mark.parametrize('classes', [5, 6])
def test_a_timm_student_takes_timms_file(tmp_path, said, classes):
    weights, student = _timm().state_dict(), _timm_student(classes)
    head = student.model.head.weight.clone()
    narrow_start(student, _save(tmp_path / 'deit.pth', weights)).load(student)
    found = student.model.state_dict()
    changed = {key for key in weights if not torch.equal(weights[key], found[key])}
    assert changed == (set() if classes == 5 else {'head.weight', 'head.bias'})
    assert torch.equal(head, found['head.weight']) == (classes == 6)
    number = len(weights) - (0 if classes == 5 else 2)
    assert f'{number} tensors' in said[0]
    assert f'new: {"nothing" if classes == 5 else "head.*"}' in said[0]


def test_a_timm_student_of_another_width_or_with_other_names(tmp_path):
    path = _save(tmp_path / 'deit.pth', _timm().state_dict())
    with pytest.raises(ValueError, match=r'0 fit\.\n  cls_token: wanted \(1, 1, 24\)'):
        narrow_start(_timm_student(width=24), path)
    with pytest.raises(ValueError, match='convert_checkpoint'):
        narrow_start(_timm_student(), _save(tmp_path / 'mm.pth', _plain().state_dict()))
