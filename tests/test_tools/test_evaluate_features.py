"""tools/evaluate_features.py: tables and JSON of any model, and one line for what is wrong."""

import json
import os
import sys

import mmvitkd  # noqa: F401
from mmvitkd.datasets import ImageFolder

import pytest
from folders import touch, write_noise
from tool_modules import load_tool

MODEL = 'timm:vit_tiny_patch16_224'
SMALL = ['--img-size', '32', '--allow-random', '--workers', '0', '--device', 'cpu']
TEACHER = ['--teacher', 'timm:vit_tiny_patch16_224', '--teacher-img-size', '64']


@pytest.fixture
def evaluate(tmp_path, monkeypatch, capsys):
    """Run the tool in a folder of images; returns its JSON and its screen."""
    monkeypatch.chdir(tmp_path)
    write_noise(tmp_path / 'classes', *(f'{c}/{i}.png' for c in 'ab' for i in range(10)))
    write_noise(tmp_path / 'flat', *(f'{i}.png' for i in range(12)))

    def run(folder, *words, model=MODEL, small=SMALL, out='out/result.json', tool=None):
        arguments = [model, '--data-root', folder, *small, *words, '--out', out]
        monkeypatch.setattr(sys, 'argv', ['evaluate_features', *map(str, arguments)])
        (tool or load_tool('evaluate_features')).main()
        return json.loads((tmp_path / out).read_text()), capsys.readouterr().out

    return run


def refusal(evaluate, *words, **kwargs):
    with pytest.raises(SystemExit) as stop:
        evaluate(*words, **kwargs)
    assert '\n' not in str(stop.value).strip()
    return str(stop.value)


def test_two_models_and_classes(evaluate, tmp_path):
    found, screen = evaluate('classes', *TEACHER)
    assert (found['num_train'], found['num_images'], found['classes']) == (18, 2, 2)
    assert {'rel_error', 'mean_token', 'r2', 'cosine', 'cka', 'readout_r2'} <= {
        *found['compared']['last']
    }
    assert {*found['classified']['teacher']} == {'knn', 'probe', 'probe_penalty', 'majority'}
    for row in ('relative error', 'R2 of a ridge readout', 'weighted k-NN, top-1 %'):
        assert row in screen
    assert found['random_weights'] and found['random_teacher']
    assert screen.count(', random weights (RANDOM WEIGHTS)') == 2
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['result.json']


def test_a_name_need_not_be_valid_text(evaluate, tmp_path):
    touch(tmp_path / 'flat', os.fsdecode(b'bad\xe9.png'), os.fsdecode(b'worse\xe9.png'))
    found, screen = evaluate('flat', *TEACHER, '--val-ratio', '0.5')
    assert any('bad\udce9.png' in path for path in found['unreadable'])
    assert r'bad\udce9.png: the file is empty' in screen


def test_the_result_is_written_before_it_is_shown(evaluate, tmp_path, monkeypatch):
    def show(found):
        raise BrokenPipeError

    tool = load_tool('evaluate_features')
    monkeypatch.setattr(tool, 'show', show)
    with pytest.raises(SystemExit):
        evaluate('classes', tool=tool)
    assert json.loads((tmp_path / 'out' / 'result.json').read_text())['num_images'] == 2


def test_a_model_alone_in_a_flat_folder_is_nothing_to_measure(evaluate):
    said = refusal(evaluate, 'flat', '--teacher', 'none')
    assert said.startswith(
        "evaluate_features: --teacher: found none, and no class folders in 'fl"
    )


def test_folders_that_are_no_classes(evaluate):
    assert evaluate('classes', '--no-classes', *TEACHER)[0]['classes'] is None


def test_the_share_of_the_most_frequent_class_is_next_to_the_accuracies(evaluate, tmp_path):
    """Of ten images of a and thirty of b, one and three are held out."""
    write_noise(tmp_path / 'classes', *(f'b/{i}.png' for i in range(10, 30)))
    found, screen = evaluate('classes')
    assert found['classified']['student']['majority'] == 75
    assert found['teacher'] is None and not found['random_teacher']
    assert 'of the most frequent class' in screen


DIGITS = 'mmvitkd::mnist5k/vit_32_feature_kd.py'


@pytest.mark.parametrize(
    ('settings', 'words', 'split'),
    [
        ('', [], {}),
        ('with_label = False', [], dict(with_label=False)),
        ('train_dataloader = dict(dataset=dict(val_ratio=0.3))', [], dict(val_ratio=0.3)),
        ('with_label = False', ['--val-ratio', '0.4'], dict(with_label=False, val_ratio=0.4)),
    ],
)
def test_what_the_training_held_out_is_held_out(evaluate, tmp_path, settings, words, split):
    """And has labels all the same, so that k-NN and probe are measured."""
    (tmp_path / 'own.py').write_text(f'_base_ = {DIGITS!r}\n{settings}\n')
    words += ['--teacher', 'none', '--allow-random', '--workers', '0']
    seen = []
    tool = load_tool('evaluate_features')
    find = tool.find
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tool, 'find', lambda args: seen.append(find(args)) or seen[0])
        found, _ = evaluate(
            'classes', *words, model=str(tmp_path / 'own.py'), small=[], tool=tool
        )
    dataset = ImageFolder('classes', 'val', pipeline=[], **split)
    wanted = [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]
    assert [seen[0][1].file(i) for i in range(len(wanted))] == wanted
    assert {'knn', 'probe'} <= {*found['classified']['student']} or len(wanted) == 0


def test_training_images_of_another_folder(evaluate, tmp_path):
    found, _ = evaluate('classes', '--train-root', 'flat', '--num-train', '5', *TEACHER)
    assert (found['num_train'], found['num_images'], found['classes']) == (5, 20, None)
    write_noise(tmp_path / 'more', 'a/0.png', 'a/1.png', 'b/0.png', 'b/1.png')
    words = ('--train-root', 'more', '--num-images', '4', '--overwrite')
    found, _ = evaluate('classes', *words)
    assert (found['num_train'], found['num_images'], found['classes']) == (4, 4, 2)


def test_unreadable_images_are_left_out_by_name(evaluate, tmp_path):
    touch(tmp_path / 'flat', '3.png')
    found, screen = evaluate('flat', *TEACHER)
    assert list(found['unreadable']) == ['3.png']
    assert 'left out, as it cannot be read: 3.png' in screen


def test_one_class_leaves_out_knn_and_probe(evaluate, tmp_path):
    write_noise(tmp_path / 'one', *(f'a/{i}.png' for i in range(4)))
    found, _ = evaluate('one', *TEACHER)
    assert '1 class, wanted two' in found['left_out']['probe']


@pytest.mark.parametrize(
    'words, wanted',
    [
        (['nowhere'], 'nowhere'),
        (['single'], 'found 1'),
        (['classes', '--val-ratio', '2'], 'val_ratio=2'),
        (['classes', '--k', '0'], '--k: found 0'),
        (['classes', '--temperature', '0'], '--temperature: found 0'),
        (['classes', '--num-train', '1'], '--num-train: found 1'),
        (['classes', '--layer', 'model.hed'], "'model.hed' is not a module"),
        (['classes', *TEACHER, '--teacher-layer', 'model.head'], "output of 'model.head'"),
        (['classes', '--teacher', 'vit'], "--teacher='vit'"),
        (['classes', '--teacher', 'none', '--teacher-checkpoint', 'x.pth'], '--teacher-check'),
        (['classes', '--checkpoint', 'x.pth'], "--checkpoint='x.pth': there is no such file"),
    ],
    ids=lambda value: ' '.join(value[1:3]) if isinstance(value, list) else '',
)
def test_what_is_wrong_is_named_in_a_line(evaluate, tmp_path, words, wanted):
    write_noise(tmp_path / 'single', '0.png')
    assert wanted in refusal(evaluate, *words)
    assert not (tmp_path / 'out').exists()


def test_the_result_is_not_written_over_a_folder(evaluate):
    assert "--out: 'flat' is a folder" in refusal(evaluate, 'flat', out='flat')


def test_a_result_is_not_replaced_unless_told(evaluate):
    evaluate('classes')
    assert "'out/result.json' exists; --overwrite" in refusal(evaluate, 'classes')
    evaluate('classes', '--overwrite')
