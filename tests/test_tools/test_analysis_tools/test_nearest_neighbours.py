"""tools/analysis_tools/nearest_neighbours.py: a picture, and one line for what is wrong."""

import os
import sys

import mmvitkd  # noqa: F401

import pytest
from folders import touch, write_noise
from PIL import Image
from tool_modules import load_tool

TOOL = 'analysis_tools/nearest_neighbours'
SMALL = ['--img-size', '32', '--allow-random', '--workers', '0', '--device', 'cpu']


@pytest.fixture
def search(tmp_path, monkeypatch, capsys):
    """Run the tool in a folder of images; returns what it prints."""
    monkeypatch.chdir(tmp_path)
    write_noise(tmp_path / 'photos', *(f'{c}/{i}.png' for c in 'ab' for i in range(4)))
    write_noise(tmp_path, 'query.png', 'single/0.png')
    touch(tmp_path, 'photos/broken.png', 'empty/notes.txt')

    def run(*words, queries=('query.png',), root='photos', out='out/near.png'):
        arguments = ['timm:vit_tiny_patch16_224', *queries, '--data-root', root, '--out', out]
        monkeypatch.setattr(sys, 'argv', ['nearest_neighbours', *arguments, *SMALL, *words])
        load_tool(TOOL).main()
        return capsys.readouterr().out

    return run


def test_a_row_for_each_query(search, tmp_path):
    said = search('--num', '3', queries=('query.png', 'photos/a/0.png'))
    assert 'out/near.png: written, 2 queries and 3 neighbours of each\n' in said
    assert 'left out, as it cannot be read: photos/broken.png: the file is empty' in said
    picture = Image.open(tmp_path / 'out' / 'near.png').convert('RGB')
    assert picture.width > picture.height > 300
    frame = (0, 114, 178)  # of the queries
    assert sum(count for count, colour in picture.getcolors(2**20) if colour == frame) > 1000


def test_a_name_need_not_be_valid_text(search, tmp_path):
    write_noise(tmp_path / 'few', os.fsdecode(b'caf\xe9.png'), 'tea.png')
    touch(tmp_path / 'few', os.fsdecode(b'bad\xe9.png'))
    assert r'few/bad\udce9.png: the file is empty' in search('--num', '2', root='few')
    assert (tmp_path / 'out' / 'near.png').exists()


def test_a_picture_is_not_replaced_unless_told(search, tmp_path):
    touch(tmp_path, 'near.png')
    with pytest.raises(SystemExit, match=r"'near\.png' exists; --overwrite"):
        search(out='near.png')
    search('--overwrite', out='near.png')
    assert (tmp_path / 'near.png').stat().st_size > 1000


def test_fewer_images_than_neighbours(search, tmp_path):
    assert '1 query and 7 neighbours of each' in search(
        queries=('photos/a/0.png',), out='n.pdf'
    )
    assert (tmp_path / 'n.pdf').read_bytes().startswith(b'%PDF')


@pytest.mark.parametrize(
    ('words', 'given', 'message'),
    [
        ([], dict(root='gone'), r"'gone': there is no such folder"),
        ([], dict(root='empty'), r"'empty': there is no image"),
        (
            [],
            dict(root='single', queries=('single/0.png',)),
            r"no other image than the query 'single/0\.png'",
        ),
        (
            [],
            dict(queries=('query.png', 'photos/broken.png')),
            r"query 'photos/broken\.png' cannot be read: the file is empty",
        ),
        ([], dict(queries=('gone.png',)), r"'gone\.png': there is no such"),
        ([], dict(out='near.txt'), r"--out: 'near\.txt': .*\.png or \.pdf"),
        (['--num', '0'], {}, r'--num: found 0, wanted 1'),
        (['--checkpoint', 'gone.pth'], {}, r'gone\.pth'),
        (['--ema'], {}, r'--ema is for a config with a checkpoint'),
    ],
)
def test_what_is_wrong_is_told_in_a_line(search, tmp_path, words, given, message):
    with pytest.raises(SystemExit, match=rf'^nearest_neighbours: .*{message}'):
        search(*words, **given)
    assert not (tmp_path / 'out').exists()
