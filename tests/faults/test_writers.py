"""A converter, an export or a report that is broken anywhere leaves the old result or the new.

``python -m pytest tests/faults/test_writers.py --all-faults -s`` breaks every operation.
"""

import errno
from functools import partial

import mmvitkd  # noqa: F401
from mmvitkd.analysis.report.report_dir import new_folder, write_report_file
from mmvitkd.checkpoint.converters.convert import Converted
from mmvitkd.checkpoint.write import write
from mmvitkd.export.export_student import export_student

import pytest
import torch
from injection import KILLED
from toy_students import save_training, training
from trials import in_child, points

SAMPLE = 5


def convert(content, folder):
    weights = {'head.weight': torch.full((20, 10), float(content))}
    write(Converted('mmpretrain', 'ViT', weights, {}), 'mmpretrain', folder / 'out.pth')


def report(content, folder):
    with new_folder(folder / 'out', overwrite=True) as new:
        (new / 'figures').mkdir()
        for name in 'ab':
            (new / 'figures' / f'{name}.png').write_bytes(b'picture %d' % content)
        write_report_file(dict(content=content), new)


def export(content, folder):
    """The contents are two students, which were saved before."""
    source = folder.parent / 'trained'
    files = str(source / 'training.py'), str(source / f'training_{content}.pth')
    export_student(*files, folder / 'out', formats=['mmpretrain', 'timm'], overwrite=True)


WRITERS = dict(convert=convert, report=report, export=export)


def contents(folder):
    """Every file below a folder, by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file()
    }


@pytest.fixture
def written(tmp_path, request):
    """A writer, and what its two contents look like when they are whole."""
    if request.param == 'export':
        (tmp_path / 'trained').mkdir()
        for content in (0, 1):
            torch.manual_seed(content)
            cfg = training('ours')
            save_training(cfg, tmp_path / 'trained' / f'training_{content}.pth')
        cfg.dump(tmp_path / 'trained' / 'training.py')
    writer, wanted = WRITERS[request.param], []
    for content in (0, 1):
        folder = tmp_path / f'whole_{content}'
        folder.mkdir()
        code, operations = in_child(partial(writer, content), folder)
        assert code == 0, operations
        wanted.append(contents(folder))
    assert wanted[0] != wanted[1] and wanted[0].keys() == wanted[1].keys()
    return writer, wanted


@pytest.mark.parametrize('written', WRITERS, indirect=True)
@pytest.mark.parametrize('error', [None, errno.ENOSPC, errno.EIO], ids=['kill', 'full', 'io'])
def test_the_old_or_the_new(written, error, tmp_path, request):
    writer, (old, new) = written
    template = tmp_path / 'template'
    template.mkdir()
    code, operations = in_child(partial(writer, 0), template)
    assert code == 0
    code, operations = in_child(partial(writer, 1), template)  # replaces the old one
    numbers = range(1, len(operations) + 1)
    if not request.config.getoption('--all-faults'):
        numbers = points(len(operations), SAMPLE, seed=2)
    for at in numbers:
        folder = tmp_path / str(at)
        folder.mkdir()
        assert in_child(partial(writer, 0), folder)[0] == 0
        code, said = in_child(partial(writer, 1), folder, at, error)
        # Without an error, what failed was not needed: a folder existed.
        assert code in ([KILLED] if error is None else [0, 1]), (operations[at - 1], said)
        found = contents(folder / 'out') if (folder / 'out').is_dir() else contents(folder)
        names = {name.removeprefix('out/') for name in new}
        final = {name: found[name] for name in names if name in found}
        either = [{k.removeprefix('out/'): v for k, v in each.items()} for each in (old, new)]
        assert final in (either if code else either[1:]), operations[at - 1]
        assert in_child(partial(writer, 1), folder)[0] == 0
        for left in folder.glob('.tmp-*') if writer is convert else ():
            left.unlink()  # a single file's writer cannot know that its owner is dead
        assert contents(folder) == new, operations[at - 1]
    name = 'killed' if error is None else errno.errorcode[error]
    print(f'\n{writer.__name__}, {name}: {len(numbers)} of {len(operations)} operations')
