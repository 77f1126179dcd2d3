"""tools/evaluate_features.py: tables and JSON of any model, and one line for what is wrong."""

import json
import sys

import mmvitkd  # noqa: F401

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

    def run(folder, *words, model=MODEL, small=SMALL, out='out/result.json'):
        arguments = [model, '--data-root', folder, *small, *words, '--out', out]
        monkeypatch.setattr(sys, 'argv', ['evaluate_features', *map(str, arguments)])
        load_tool('evaluate_features').main()
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
    assert {*found['classified']['teacher']} == {'knn', 'probe', 'probe_penalty'}
    for row in ('relative error', 'R2 of a ridge readout', 'weighted k-NN, top-1 %'):
        assert row in screen
    assert 'RANDOM WEIGHTS' in screen
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['result.json']


def test_a_model_alone_in_a_flat_folder(evaluate):
    found, screen = evaluate('flat')
    assert (found['teacher'], found['compared'], found['classified']) == (None, {}, {})
    assert 'left out: knn: the images are in no class folders' in screen


def test_folders_that_are_no_classes(evaluate):
    assert evaluate('classes', '--no-classes')[0]['classes'] is None


def test_training_images_of_another_folder(evaluate, tmp_path):
    found, _ = evaluate('classes', '--train-root', 'flat', '--num-train', '5')
    assert (found['num_train'], found['num_images'], found['classes']) == (5, 20, None)
    write_noise(tmp_path / 'more', 'a/0.png', 'a/1.png', 'b/0.png', 'b/1.png')
    found, _ = evaluate('classes', '--train-root', 'more', '--num-images', '4')
    assert (found['num_train'], found['num_images'], found['classes']) == (4, 4, 2)


def test_unreadable_images_are_left_out_by_name(evaluate, tmp_path):
    touch(tmp_path / 'flat', '3.png')
    found, screen = evaluate('flat')
    assert list(found['unreadable']) == ['3.png']
    assert 'left out, as it cannot be read: 3.png' in screen


def test_one_class_leaves_out_knn_and_probe(evaluate, tmp_path):
    write_noise(tmp_path / 'one', *(f'a/{i}.png' for i in range(4)))
    found, _ = evaluate('one')
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
