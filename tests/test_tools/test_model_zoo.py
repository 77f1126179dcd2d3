"""tools/model_zoo.py: configs/README.md is what it writes, and what is wrong is named."""

import re
import shutil
import sys
from pathlib import Path

import mmvitkd  # noqa: F401

import pytest
from tool_modules import load_tool

ROOT = Path(__file__).parents[2]
README = ROOT / 'configs' / 'README.md'
MODEL = 'configs/lift/metafile.yml: deit_tiny_lift_300e_in1k: '


@pytest.fixture
def model_zoo(monkeypatch):
    """Run the tool."""

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['model_zoo', *map(str, arguments)])
        load_tool('model_zoo').main()

    return run


@pytest.fixture
def copy(tmp_path):
    """A copy of the configs; give it a change of one metafile to get its index."""
    shutil.copytree(ROOT / 'configs', tmp_path / 'configs')
    shutil.copy(ROOT / 'model-index.yml', tmp_path)

    def change(old='', new='', file='configs/lift/metafile.yml'):
        text = (tmp_path / file).read_text()
        assert old in text
        (tmp_path / file).write_text(text.replace(old, new, 1))
        return tmp_path / 'model-index.yml'

    return change


def test_the_readme_is_up_to_date(model_zoo):
    model_zoo('--check')


def test_it_links_to_every_config_and_suite_once():
    links = re.findall(r'\]\(([\w/]+\.(?:py|yml))\)', README.read_text())
    files = [*README.parent.rglob('*.py'), *README.parent.glob('suites/*')]
    files = [path.relative_to(README.parent) for path in files]
    assert sorted(links) == sorted(p.as_posix() for p in files if p.parts[0] != '_base_')


def test_a_row_says_what_the_metafile_says():
    (row,) = re.findall(r'.*\(cait_s24_deit_tiny_widelast\.py\).*', README.read_text())
    assert [cell.strip() for cell in row.strip('|').split('|')] == [
        '[cait_s24_deit_tiny_widelast](cait_s24_deit_tiny_widelast.py)',
        'DeiT-Tiny with WideLast 384',
        'cait_s24_224 of timm',
        'SoftKD + MSE, last block',
        '300',
        '7,313,896',
        '3.089',
        '78.23 ([2511.15572](https://arxiv.org/abs/2511.15572))',
        'not yet',
    ]


def test_published_digits_stay_as_they_are():
    text = README.read_text()
    assert '| 77.50 ([2511.15572](' in text
    assert '| 77.4 ([2412.19055](' in text


@pytest.mark.parametrize(
    ('file', 'old', 'new'),
    [
        ('configs/lift/metafile.yml', 'Accuracy: 77.53', 'Accuracy: 77.54'),
        ('configs/mnist5k/vit_64.py', "The demo's teacher", 'A teacher'),
    ],
)
def test_a_change_is_reported_and_then_written(model_zoo, copy, file, old, new):
    index = copy(old, new, file)
    readme = index.parent / 'configs' / 'README.md'
    old, new = (text.rpartition(': ')[2] for text in (old, new))
    with pytest.raises(SystemExit) as stopped:
        model_zoo('--check', '--index', index)
    lines = str(stopped.value.code).splitlines()
    assert sum(line.startswith('-|') or line.startswith('-- [') for line in lines) == 1
    assert any(line[0] == '-' and old in line for line in lines)
    assert any(line[0] == '+' and new in line for line in lines)
    assert lines[-1].startswith(f'model_zoo: {readme} is out of date')
    assert readme.read_text() == README.read_text()
    model_zoo('--index', index)
    model_zoo('--check', '--index', index)
    assert new in readme.read_text()
    assert not list(readme.parent.glob('*.tmp'))


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('Parameters: 5983528', '', 'Metadata.Parameters: found no Parameters, wanted one.'),
        (
            'Epochs: 300',
            'Epochs: many',
            "Metadata.Epochs: found 'many', wanted a whole number.",
        ),
        (
            '      Student:\n        Name: DeiT-Tiny with Lift 384\n',
            '',
            'Metadata.Student.Name:',
        ),
        (
            'Config: configs/lift/deit',
            'Config: configs/lift/diet',
            'Config: there is no configs',
        ),
        ('Top 1 Accuracy', 'Top-1', 'Results[0]: Metrics.Top 1 Accuracy: found no Top 1 Acc'),
        ('Results:\n      -', 'Results:\n       ', 'Results: found {'),
    ],
)
def test_a_bad_entry_is_refused_by_file_model_and_key(model_zoo, copy, old, new, message):
    text = (ROOT / 'configs/lift/metafile.yml').read_text()
    (entry,) = re.findall(r'  - Name: deit_tiny_lift_300e_in1k.*?Config: \S+', text, re.DOTALL)
    assert old in entry
    index = copy(entry, entry.replace(old, new, 1))
    readme = index.parent / 'configs' / 'README.md'
    readme.unlink()
    with pytest.raises(SystemExit) as stopped:
        model_zoo('--index', index)
    assert str(stopped.value.code).startswith(f'model_zoo: {MODEL}{message}')
    assert not readme.exists()


@pytest.mark.parametrize(
    ('file', 'old', 'new', 'message'),
    [
        ('model-index.yml', 'lift/', 'left/', 'configs/left/metafile.yml'),
        ('model-index.yml', 'Import', 'Imports', 'model-index.yml: Import: found no Import'),
        ('configs/lift/metafile.yml', 'Models:', 'Models: {', 'invalid YAML: '),
        (
            'configs/lift/metafile.yml',
            '- Name: deit_tiny_lift256',
            '- N: a',
            'Models[0]: Name: ',
        ),
        (
            'configs/lift/metafile.yml',
            '  - Name: Lift',
            '    Name: Lift',
            'Collections: found {',
        ),
        ('configs/mnist5k/vit_64.py', '#', '', 'vit_64.py: wanted a first comment'),
    ],
)
def test_a_bad_file_is_refused_by_name(model_zoo, copy, file, old, new, message):
    index = copy(old, new, file)
    with pytest.raises(SystemExit) as stopped:
        model_zoo('--index', index)
    assert str(stopped.value.code).startswith('model_zoo: ')
    assert message in str(stopped.value.code)
