"""tools/analysis_tools/recommend.py: what it writes, that it trains, and what it refuses."""

import json
import re
import sys
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.analysis import recommendation
from mmvitkd.analysis.functional.width_floor import WidthFloor
from mmvitkd.apis.load_model import load_model
from mmvitkd.config.load_config import load_config

import pytest
import torch
from folders import write_noise
from mmpretrain.registry import MODELS
from PIL import Image
from tool_modules import load_tool
from toy import vit

TIMM = ('timm:vit_small_patch16_224', '--img-size', 64)  # 384 wide, 16 tokens
RANDOM = '--allow-random'
DIGITS = ('mmvitkd::mnist5k/vit_64.py', '--student', 'mmvitkd::mnist5k/vit_32.py')
SHORT = [
    'train_dataloader.batch_size=26',
    'train_dataloader.num_workers=0',
    'train_cfg.max_epochs=1',
    'train_cfg.val_interval=2',
    'param_scheduler=[]',
]


@pytest.fixture
def images(tmp_path):
    """Two classes of 26 training images, and a few others."""
    names = [
        f'{split}/{c}/{i}.png'
        for split, n in (('train', 26), ('val', 2))
        for c in 'ab'
        for i in range(n)
    ]
    return write_noise(tmp_path / 'images', *names, size=(28, 28, 3))


@pytest.fixture
def recommend(images, tmp_path, monkeypatch, capsys):
    """Run the tool; returns its report, what it printed, and the reason it gave for ending."""
    tool = load_tool('analysis_tools/recommend')

    def run(*given, data_root=images, out=tmp_path / 'out'):
        given = ['recommend', *given, '--data-root', data_root, '--out', out]
        given += ['--workers', 0, '--device', 'cpu']
        monkeypatch.setattr(sys, 'argv', [*map(str, given)])
        try:
            tool.main()
        except SystemExit as end:
            return None, capsys.readouterr().out, end.code
        return json.loads((out / 'report.json').read_text()), capsys.readouterr().out, None

    return run


@pytest.mark.parametrize(
    ('teacher', 'remedy', 'target', 'options'),
    [
        (TIMM, 'projector', 'centred', ['--no-with-label']),
        (TIMM, 'lift', 'final_norm', ['--wide-output']),
        (DIGITS, 'projector', 'final_norm', []),
        (DIGITS, 'widelast', 'final_norm', ['--no-with-label']),
        (DIGITS, 'widelast', 'centred', ['--no-with-label']),
    ],
)
def test_the_printed_config_trains_a_step(
    teacher, remedy, target, options, recommend, run_tool, tmp_path, monkeypatch
):
    monkeypatch.setattr(recommendation, 'MAX_FLOOR', 0.0 if remedy == 'widelast' else 1.0)
    for limit, of_centred in (('MAX_MEAN_SHARE', 0.0), ('MAX_LARGEST_SHARE', 1.0)):
        monkeypatch.setattr(recommendation, limit, of_centred if target == 'centred' else 1.0)
    report, printed, _ = recommend(*teacher, RANDOM, *options)
    decisions = {d['part']: d['value'] for d in report['decisions']}
    assert (decisions['remedy'], decisions['target']) == (remedy, target)
    config = tmp_path / 'printed.py'
    start, end = printed.index('_base_ = '), printed.index('\n)\n') + 3
    config.write_text(printed[start:end])
    assert config.read_text() == (tmp_path / 'out/recommended.py').read_text()
    size = ['img_size=64'] if teacher is TIMM else []
    run_tool('train', config, '--work-dir', tmp_path / 'run', options=[*SHORT, *size])
    found = torch.load(tmp_path / 'run/epoch_1.pth', weights_only=True)
    losses = found['message_hub']['log_scalars']
    assert losses['train/loss']['log_history'].isfinite().all()
    assert ('train/student.loss' in losses) == ('--no-with-label' not in options)


def test_what_it_writes(recommend, images, tmp_path):
    report, printed, _ = recommend(*DIGITS, RANDOM)
    assert report['images']['num_images'] == 52 and report['images']['num_classes'] == 2
    assert (report['teacher']['width'], report['teacher']['depth']) == (64, 6)
    assert [*report['layers']] == [*map(str, range(6)), 'final norm']
    assert [*report['costs']] == [
        'recommended',
        'a projector alone',
        'Lift to 64',
        'WideLast 64',
    ]
    macs = [cost['macs'] for cost in report['costs'].values()]
    assert macs[1] < macs[2] < macs[3]
    text = (tmp_path / 'out/recommend.md').read_text()
    assert 'weights are random' in text and report['config'] in text
    for decision in report['decisions']:
        support = decision['supported_by']
        if decision['part'] == 'remedy':
            assert support.startswith('docs/recommend.md, on digits')
            assert f'  supported by {support}' in printed
        else:
            assert support == 'not supported by measurements yet'
            assert f'  {support}' in printed
        assert support in text and decision['reason'] in printed
    with Image.open(tmp_path / 'out/figures/floors.png') as figure:
        assert figure.size[0] > 600


def test_the_floors_are_those_of_the_teachers_tokens(recommend, images):
    report, _, _ = recommend(*DIGITS, RANDOM, '--seed', 3)
    torch.manual_seed(3)
    loaded = load_model(DIGITS[0], allow_random=True)
    found = {}
    backbone = loaded.model.backbone
    for name, module in (('5', backbone.layers[-1]), ('final norm', backbone.ln1)):
        module.register_forward_hook(
            lambda module, args, output, name=name: found.update({name: output[:, 1:]})
        )
    files = sorted((images / 'train').rglob('*.png'))
    with torch.no_grad():
        loaded.model(torch.stack([loaded.preprocess(str(file)) for file in files]))
    for name, tokens in found.items():
        floor = WidthFloor()
        floor.update(tokens)
        wanted, layer = floor.result([32]), report['layers'][name]
        for key in ('raw', 'standardised'):
            for kind in ('in_sample', 'held_out'):
                assert layer[key][kind] == pytest.approx(wanted[key][kind], abs=1e-6)
        assert layer['raw']['pooled']['32'] == pytest.approx(wanted['raw']['pooled']['32'])
        assert layer['token_norm'] == pytest.approx(wanted['token_norm'])


def distilled(tmp_path, remedy):
    """The config and the checkpoint of a distillation of the digits' teacher."""
    config, checkpoint = tmp_path / 'distilled.py', tmp_path / 'trained.pth'
    config.write_text(
        f"_base_ = 'mmvitkd::mnist5k/vit_32_{remedy}.py'\n"
        'model = dict(allow_random_teacher=True, teacher_ckpt=None)\n'
    )
    model = load_config(str(config)).to_dict()['model']
    torch.save(dict(state_dict=MODELS.build(model).state_dict()), checkpoint)
    return config, checkpoint


@pytest.mark.parametrize(('remedy', 'bound'), [('lift', True), ('widelast', False)])
def test_a_trained_student_next_to_its_floor(remedy, bound, recommend, tmp_path):
    trained = distilled(tmp_path, remedy)
    report, printed, error = recommend(*DIGITS, RANDOM, '--trained', *trained)
    assert error is None
    [layer] = report['trained']['layers'].values()
    assert layer['is_bound'] is bound and layer['width'] == 32
    assert layer['rel_error'] > layer['floor'] > 0
    text = (tmp_path / 'out/recommend.md').read_text()
    assert 'The trained student' in text and f'{layer["r2"]:.3f}' in text
    assert layer['r2'] < 0 and f'R2 {layer["r2"]:.3f}: worse than a constant' in printed


def test_an_unreadable_image_is_left_out(recommend, images, tmp_path):
    trained = distilled(tmp_path, 'lift')
    (images / 'train/a/0.png').write_bytes(b'no image')
    (images / 'val/b/1.png').write_bytes(b'no image')
    report, printed, _ = recommend(*DIGITS, RANDOM, '--trained', *trained)
    assert report['images']['unreadable'] == ['a/0.png']
    assert report['trained']['unreadable'] == ['b/1.png']
    assert (report['images']['num_images'], report['trained']['num_images']) == (51, 3)
    text = (tmp_path / 'out/recommend.md').read_text()
    for path in ('a/0.png', 'b/1.png'):
        assert f'left out, as it cannot be read: {path}' in printed and path in text
    assert 'on 3 held-out images' in text


def constant(tmp_path):
    """A teacher whose patch tokens are all the same, and its weights."""
    config, checkpoint = tmp_path / 'constant.py', tmp_path / 'constant.pth'
    config.write_text(
        f'model = {vit()!r}\ntest_dataloader = dict(dataset=dict(pipeline=['
        "dict(type='mmvitkd.LoadImage'), dict(type='Resize', scale=(32, 32)), "
        "dict(type='PackInputs')]))\n"
    )
    model = MODELS.build(vit())
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    torch.save(model.state_dict(), checkpoint)
    return config, '--checkpoint', checkpoint, '--student', tmp_path / 'narrow.py'


def test_constant_features(recommend, tmp_path):
    narrow = vit(dict(embed_dims=8, num_layers=2, num_heads=2, feedforward_channels=16))
    (tmp_path / 'narrow.py').write_text(f'model = {narrow!r}\n')
    _, _, error = recommend(*constant(tmp_path))
    assert 'layer 0' in error and 'tokens are the same in all 16 channels' in error


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ([*TIMM, RANDOM, '--num-images', 40], r'--num-images: found 40 images of 16 tokens'),
        (['timm:resnet18', RANDOM], r'TEACHER: found a ResNet, .* 64, 64, 128, 256, 512'),
        (['timm:swin_tiny_patch4_window7_224', RANDOM], r'TEACHER: .* SwinTransformer'),
        ([DIGITS[0], RANDOM], r"--student='deit_tiny' is 192 wide, and the teacher 64"),
        ([*DIGITS], r'--checkpoint: none is given'),
        ([*DIGITS, '--checkpoint', 'missing.pth'], r'missing\.pth'),
        ([*DIGITS, RANDOM, '--num-classes', 1], r'--num-classes: found 1, wanted 2'),
        ([*DIGITS, '--no-with-label', '--num-classes', 2], r'--num-classes: found --no-with-l'),
        ([*DIGITS, '--batch-size', 0], r'--batch-size: found 0, wanted 1 or more'),
        ([str(Path(__file__).parent), RANDOM], r'TEACHER: .* is a folder'),
        (['deit_small_patch16_224'], r"TEACHER=.*did you mean 'timm:"),
        ([*DIGITS, RANDOM, '--trained', DIGITS[2], 'x.pth'], r'--trained: .* no distillation'),
    ],
)
def test_what_it_refuses(given, message, recommend, tmp_path):
    report, _, error = recommend(*given)
    assert report is None and re.search(message, error), error
    assert '\n' not in error and not (tmp_path / 'out').exists()


def test_the_images_that_the_held_out_floor_needs(recommend):
    _, _, error = recommend(*TIMM, RANDOM, '--num-images', 40)
    assert 'wanted 50 images or more' in error  # 385 tokens in each half, 16 an image


def test_damaged_weights(recommend, tmp_path):
    (tmp_path / 'damaged.pth').write_bytes(b'no weights')
    _, _, error = recommend(*DIGITS, '--checkpoint', tmp_path / 'damaged.pth')
    assert 'damaged.pth' in error


def test_photos_without_classes(recommend, tmp_path):
    photos = write_noise(
        tmp_path / 'photos', *[f'{i}.png' for i in range(20)], size=(28, 28, 3)
    )
    report, _, _ = recommend(*DIGITS, RANDOM, data_root=photos)
    assert report['images']['num_classes'] is None
    assert 'with_label = False\nnum_classes = None\n' in report['config']
    _, _, error = recommend(
        *DIGITS, RANDOM, '--with-label', data_root=photos, out=tmp_path / 'other'
    )
    assert error.startswith('recommend: --with-label: found 0 class folders')


def test_a_recommendation_is_replaced_on_request_only(recommend, tmp_path):
    recommend(*DIGITS, RANDOM)
    before = (tmp_path / 'out/report.json').read_bytes()
    _, _, error = recommend(*DIGITS, RANDOM, '--seed', 1)
    assert '--overwrite replaces it' in error
    assert (tmp_path / 'out/report.json').read_bytes() == before
    recommend(*DIGITS, RANDOM, '--seed', 1, '--overwrite')
    assert (tmp_path / 'out/report.json').read_bytes() != before
    assert not list(Path(tmp_path).glob('.tmp-*'))
