"""tools/analysis_tools/compare_representations.py: reports, models, and what is wrong."""

import json
import sys
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.analysis.report import comparison as representation_comparison
from mmvitkd.analysis.report.summary_table import numbers_of

import pytest
from folders import touch, write_noise
from representation_reports import report
from tool_modules import load_tool

KEPT = {'teacher': 32, 'plain': 16}


@pytest.fixture
def folder(tmp_path):
    """Reports of two models, and of a Lift, in folders; and images."""
    for seed, (name, width) in enumerate(KEPT.items()):
        write(tmp_path / name, report(blocks=('0', '1'), width=width, seed=seed))
    write(tmp_path / 'lift', report(blocks=('0', '1', 'neck'), widths={'neck': 32}))
    write_noise(tmp_path / 'images', 'a/0.png', 'a/1.png', 'b/2.png')
    return tmp_path


def write(folder, content):
    folder.mkdir(exist_ok=True)
    (folder / 'report.json').write_text(json.dumps(content))


@pytest.fixture
def compare(folder, monkeypatch, capsys):
    """Run the tool in the folder; returns what is in its output, by name, and on the screen."""
    monkeypatch.chdir(folder)

    def run(*words, out='out'):
        arguments = [*map(str, words), '--out', out]
        monkeypatch.setattr(sys, 'argv', ['compare_representations', *arguments])
        load_tool('analysis_tools/compare_representations').main()
        found = Path(out)
        text, content = (found / 'report.md').read_text(), (found / 'report.json').read_text()
        return text, json.loads(content), capsys.readouterr().out

    return run


@pytest.fixture
def no_figures(monkeypatch):
    """Rendering takes longer than the rest."""

    def touch_both(figure, folder, name):
        touch(folder, f'{name}.png', f'{name}.pdf')

    monkeypatch.setattr(representation_comparison, 'save_both', touch_both)


def rows_of(text, beginning):
    """The cells of a table, by the first of each row."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(beginning))
    table = []
    for line in lines[start:]:
        if not line.startswith('|'):
            break
        table.append([cell.strip() for cell in line.strip('|').split('|')])
    return table[0], {row[0]: row[1:] for row in table[2:]}


def figures(out):
    return sorted(path.name for path in Path(out, 'figures').iterdir())


def test_reports_side_by_side(compare, folder):
    text, content, printed = compare('teacher', 'plain/report.json')
    header, rows = rows_of(text, '|  | channels')
    assert list(rows) == list(KEPT)
    for name, row in rows.items():
        block = json.loads((folder / name / 'report.json').read_text())['blocks']['1']
        wanted = numbers_of(block)
        assert header[1:] == list(wanted)
        assert [float(cell) for cell in row] == pytest.approx([*wanted.values()], rel=1e-3)
        assert content['compared'][name]['numbers'] == wanted
        assert content['compared'][name]['block'] == '1'
    names = ['energy', 'floors', 'intensity', 'rotation', 'sep', 'sep_spread', 'sorted_energy']
    assert figures('out') == sorted(f'{n}{s}' for n in names for s in ('.png', '.pdf'))
    assert (Path('out/figures/sep.png')).stat().st_size > 10_000
    for name in names:
        assert f'(figures/{name}.png)' in text
    assert 'cka' not in content and 'CKA' not in text
    assert 'wrote report.md' in printed
    assert sorted(content['files']) == sorted(
        p.relative_to('out').as_posix() for p in Path('out').rglob('*.*')
    )


def test_the_same_role_of_models_and_another_block(compare, no_figures):
    text, content, _ = compare('teacher', 'lift', '--labels', 'big teacher', 'Lift')
    assert [each['block'] for each in content['compared'].values()] == ['1', 'neck']
    _, rows = rows_of(text, '|  | model')
    assert rows == {
        'big teacher': ['`timm:toy, made up`', '1', '12', '16'],
        'Lift': ['`timm:toy, made up`', 'neck', '12', '16'],
    }
    _, content, _ = compare('teacher', 'lift', '--block', 0, out='other')
    assert [each['block'] for each in content['compared'].values()] == ['0', '0']


def test_what_was_not_measured_alike_is_reported(compare, folder, no_figures):
    text, _, _ = compare('teacher', 'plain')
    assert 'Not measured alike' not in text
    other = report(num_images=5, num_tokens=9)
    other['images']['folder'] = 'data/others'
    write(folder / 'few', other)
    text, _, _ = compare('teacher', 'few', out='other')
    assert 'differ in numbers of images (5, 12) and numbers of tokens per image (9, 16)' in text
    assert '`data/images`, `data/others`' in text


@pytest.mark.parametrize(
    ('key', 'values'),
    [
        ('centered', (False, True)),
        ('held_out', (False, True)),
        ('final_norm', (False, True)),
        ('amp', (False, True)),
        ('image_size', ([224, 224], [160, 160])),
        ('seed', (1, 2)),
    ],
)
def test_settings_that_differ_are_reported(compare, folder, no_figures, key, values):
    for name, value in zip(KEPT, values, strict=True):
        content = report(blocks=('0', '1'))
        content['settings'][key] = value
        write(folder / name, content)
    text, _, _ = compare('teacher', 'plain')
    first, second = (f'`{value}`' for value in values)
    said = f'the reports differ in `{key}` (teacher: {first}, plain: {second}).**'
    assert f'**Not measured alike: {said}' in text


def test_settings_without_effect_or_unknown_are_not_reported(compare, folder, no_figures):
    for name, seed in zip(KEPT, (1, 2), strict=True):
        content = report(blocks=('0', '1'))
        content['settings'] |= dict(seed=seed, centered=bool(seed - 1), device=f'cuda:{seed}')
        if name == 'plain':
            content['settings']['amp'] = True  # of the other it is not known
        for block in content['blocks'].values():
            del block['rotation'], block['pca'], block['sep']['permuted']
        write(folder / name, content)
    assert 'Not measured alike' not in compare('teacher', 'plain')[0]


def test_first_of_each_class_against_all(compare, folder, no_figures):
    for name, first in zip(KEPT, (True, False), strict=True):
        content = report(blocks=('0', '1'))
        content['images']['first_per_class'] = first
        write(folder / name, content)
    text, _, _ = compare('teacher', 'plain')
    assert 'differ in `first_per_class` (teacher: `True`, plain: `False`).' in text


def test_whose_report_it_is_and_random_weights(compare, folder, no_figures):
    content = report(blocks=('0', '1'), model='c.py')
    content |= dict(provenance='teacher of c.py, random weights', random_weights=True)
    write(folder / 'teacher', content)
    text, written, _ = compare('teacher', 'plain')
    _, rows = rows_of(text, '|  | model')
    assert rows['teacher'][0] == '`teacher of c.py, random weights`'
    assert '**The weights are random** of teacher.' in text
    assert written['compared']['teacher']['model'] == 'c.py'
    assert written['compared']['teacher']['provenance'] == 'teacher of c.py, random weights'
    write(folder / 'teacher', report(blocks=('0', '1')))
    assert 'random**' not in compare('teacher', 'plain', out='other')[0]


def test_measures_that_a_report_lacks_are_empty(compare, folder, no_figures):
    content = report()
    for block in content['blocks'].values():
        del block['sep'], block['rotation']
    write(folder / 'less', content)
    header, rows = rows_of(compare('teacher', 'less')[0], '|  | channels')
    assert rows['less'][header.index('overlap') - 1] == ''
    assert rows['teacher'][header.index('overlap') - 1] != ''
    compare('less', 'less', '--labels', 'a', 'b', out='other')
    assert figures('other') == [
        'energy.pdf',
        'energy.png',
        'floors.pdf',
        'floors.png',
        'intensity.pdf',
        'intensity.png',
        'sorted_energy.pdf',
        'sorted_energy.png',
    ]


SMALL = ('--img-size', 32, '--allow-random', '--workers', 0)
TIMM = ('timm:vit_tiny_patch16_224', 'timm:deit_tiny_patch16_224')


def test_models_on_the_same_images(compare):
    words = ['--models', *TIMM, '--data-root', 'images', *SMALL]
    text, content, _ = compare(*words)
    cka = content['cka']
    assert (cka['rows'], cka['num_images'], cka['num_rows']) == ('tokens', 3, 12)
    assert cka['labels'] == list(TIMM) and cka['blocks'] == ['11', '11']
    assert cka['models'][TIMM[0]] == f'{TIMM[0]}, random weights'
    _, rows = rows_of(text, '|  | model')
    assert rows == {name: [f'`{name}, random weights`'] for name in TIMM}
    assert f'**The weights are random** of {TIMM[0]}, {TIMM[1]}.' in text
    assert cka['random_weights'] == list(TIMM)
    between = cka['matrix'][0][1]
    assert 0 < between <= 1
    for key in ('CKA', 'null'):
        _, rows = rows_of(text, f'| {key}')
        found = [float(cell) for row in rows.values() for cell in row]
        wanted = cka['matrix' if key == 'CKA' else 'null']
        assert found == pytest.approx([v for row in wanted for v in row], rel=1e-3)
    assert figures('out') == ['cka.pdf', 'cka.png']
    assert 'a row is a patch token' in text
    assert content['compared'] == {} and 'SVD' not in text


def test_images_that_cannot_be_read_are_named(compare, folder, no_figures):
    touch(folder / 'images', 'b/broken.png')
    words = ['--models', *TIMM, '--data-root', 'images', *SMALL, '--labels', 'a', 'b']
    text, content, printed = compare(*words)
    assert content['cka']['num_images'] == 3
    assert list(content['cka']['unreadable']) == ['b/broken.png']
    assert 'Left out, as they cannot be read: `b/broken.png`.' in text
    assert 'left out, as it cannot be read: b/broken.png: ' in printed


def test_a_comparison_is_replaced_only_if_asked(compare, no_figures):
    compare('teacher', 'plain')
    with pytest.raises(SystemExit, match=r'--out: .*--overwrite replaces it'):
        compare('teacher', 'lift')
    _, content, _ = compare('teacher', 'lift', '--overwrite')
    assert list(content['compared']) == ['teacher', 'lift']


def test_the_report_of_a_model_is_never_replaced(compare, folder):
    written = json.dumps({**report(), 'files': ['report.json']})
    (folder / 'plain' / 'report.json').write_text(written)
    with pytest.raises(SystemExit, match=r'--out: .*has the report of a model: it is not'):
        compare('teacher', 'lift', '--overwrite', out='plain')
    assert (folder / 'plain' / 'report.json').read_text() == written


@pytest.mark.parametrize(
    ('words', 'wrong'),
    [
        ([], 'found 0 reports and 0 --models, wanted two or more'),
        (['teacher'], 'found 1 reports and 0 --models'),
        (['teacher', '--models', 'a', 'b', '--data-root', 'c'], "REPORT: found one, 'teacher'"),
        (['--models', 'a', 'b'], '--models and --data-root: wanted both or neither'),
        (['teacher', 'plain', '--data-root', 'c'], '--models and --data-root: wanted both'),
        (['teacher', 'plain', '--batch-size', '0'], '--batch-size: found 0, wanted 1 or more'),
        (
            ['teacher', 'plain', '--custom-imports', 'no_such'],
            "--custom-imports: cannot import 'no_such'",
        ),
        (['teacher', 'no'], 'no: there is no such report'),
        (['teacher', 'teacher'], "REPORT: two are called 'teacher'; --labels names them"),
        (['teacher', 'plain', '--labels', 'a'], '--labels: found 1, wanted 2, one for each'),
        (['teacher', 'plain', '--block', '9'], "teacher: blocks: there is no '9', only 0, 1"),
        (['teacher', 'bad'], r"bad/report\.json: blocks\.1\.svd: found no 'curve'"),
        (
            ['--models', *TIMM, '--data-root', 'images', *SMALL, '--device', 'gpu'],
            "--device: 'gpu': ",
        ),
        (['--models', *TIMM, '--data-root', 'nowhere'], 'nowhere.*there is no such folder'),
        (['--models', 'no.py@a.pth', TIMM[0], '--data-root', 'images', *SMALL], 'no.py'),
        (
            ['--models', f'{TIMM[0]}@no.pth', TIMM[1], '--data-root', 'images', *SMALL],
            "CHECKPOINT='no.pth'",
        ),
        (
            ['--models', 'timm:vit_tinny', TIMM[1], '--data-root', 'images', *SMALL],
            "MODEL='timm:vit_tinny': timm .* has no model",
        ),
        (
            ['--models', *TIMM, '--data-root', 'images', *SMALL, '--block', '40'],
            f'{TIMM[0]}: blocks: there is no 40',
        ),
    ],
)
def test_what_cannot_be_compared_ends_in_one_line(compare, folder, words, wrong):
    bad = report()
    del bad['blocks']['1']['svd']['curve']
    write(folder / 'bad', bad)
    before = sorted(folder.rglob('*'))
    with pytest.raises(SystemExit, match=f'^compare_representations: .*{wrong}') as error:
        compare(*words)
    assert '\n' not in str(error.value)
    assert sorted(folder.rglob('*')) == before  # nothing is left behind


def test_a_model_and_its_checkpoint_are_one_word(folder, monkeypatch):
    monkeypatch.chdir(folder)
    tool = load_tool('analysis_tools/compare_representations')
    (folder / 'a@b').mkdir()
    assert tool.model_and_checkpoint('a@b') == ('a@b', None)
    assert tool.model_and_checkpoint('c.py@d/e.pth') == ('c.py', 'd/e.pth')
    assert tool.model_and_checkpoint('timm:x') == ('timm:x', None)
    assert tool.model_label('configs/c.py@d/e.pth') == 'c'
    assert tool.model_label('timm:vit.in1k@e.pth') == 'timm:vit.in1k'
    assert tool.model_label('runs/my.student') == 'my.student'
