"""tools/analysis_tools/saliency.py: a figure per image, with a row per model."""

import json
import sys
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.apis import saliency as saliency_api

import pytest
import toy_students
from folders import write_noise
from tool_modules import load_tool

SMALL = 'timm:test_vit'


@pytest.fixture
def draw(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(saliency_api, 'SAMPLES', 2)
    monkeypatch.setattr(saliency_api, 'STEPS', 2)
    write_noise(tmp_path / 'images', 'a/0.png', 'a/1.png', 'b/2.png')

    def run(*words):
        arguments = [*words, '--data-root', 'images', '--out', 'out', '--allow-random']
        monkeypatch.setattr(sys, 'argv', ['saliency', *arguments])
        load_tool('analysis_tools/saliency').main()

    return run


def test_a_figure_per_image(draw, capsys):
    Path('images/a/1.png').write_bytes(b'broken')
    draw(SMALL, SMALL, '--labels', 'first', 'second')
    report = json.loads(Path('out/report.json').read_text())
    assert report['images'] == {'saliency_0': 'a/0.png', 'saliency_2': 'b/2.png'}
    assert [*report['models']] == ['first', 'second']
    text = Path('out/report.md').read_text()
    for name in report['images']:
        assert Path(f'out/figures/{name}.png').stat().st_size > 0
        assert f'figures/{name}.png' in text
    assert [*report['unreadable']] == ['a/1.png']
    assert '**1 images could not be read** and are left out: `a/1.png`.' in text
    assert 'left out, as it cannot be read: a/1.png' in capsys.readouterr().out


def test_images_none_of_which_can_be_read(draw):
    for path in Path('images').rglob('*.png'):
        path.write_bytes(b'broken')
    with pytest.raises(SystemExit, match='saliency: none of the 3 images can be read'):
        draw(SMALL)
    assert not Path('out').exists()


def test_labels_must_be_as_many_as_models(draw, capsys):
    with pytest.raises(SystemExit) as stopped:
        draw(SMALL, '--labels', 'first', 'second')
    assert '--labels: found 2, wanted 1' in str(stopped.value) + capsys.readouterr().err


def test_labels_are_not_taken_for_those_of_other_classes(draw, tmp_path, capsys):
    cfg = toy_students.training('plain')  # ant, bee, cat, dog, elk
    Path('plain.py').write_text('\n'.join(f'{k} = {v!r}' for k, v in cfg.to_dict().items()))
    toy_students.save_training(cfg, tmp_path / 'training.pth')
    write_noise(tmp_path / 'images', *(f'{c}/0.png' for c in 'cde'))  # five with a and b
    with pytest.raises(SystemExit) as stopped:
        draw('plain.py@training.pth')
    message = str(stopped.value) + capsys.readouterr().err
    assert '--data-root=' in message and 'a, b, c, d, e' in message and 'ant, bee' in message
    assert not Path('out').exists()
    for name in ('ant', 'bee', 'cat', 'dog', 'elk'):
        Path('images', name[0]).rename(Path('images', name))
    draw('plain.py@training.pth', '--num-images', '2')
    assert Path('out/report.md').exists()
