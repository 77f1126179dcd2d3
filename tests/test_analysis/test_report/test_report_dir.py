"""A report's folder appears whole, and replaces only a report."""

import json
import os

import mmvitkd  # noqa: F401
from mmvitkd.analysis.report.report_dir import check_out, new_folder, write_report_file

import pytest
from folders import touch


def write(out, number=1, overwrite=False, name='report.md'):
    with new_folder(out, overwrite) as folder:
        touch(folder, name, 'figures/a.png')
        write_report_file({'number': number}, folder)


def test_it_appears_whole(tmp_path):
    out = tmp_path / 'deep' / 'out'
    with new_folder(out, False) as folder:
        touch(folder, 'report.md', 'figures/a.png')
        assert not out.exists()
        write_report_file({'number': 1}, folder)
    files = ['figures/a.png', 'report.json', 'report.md']
    assert json.loads((out / 'report.json').read_text()) == {'number': 1, 'files': files}
    assert os.listdir(out.parent) == ['out']


@pytest.mark.parametrize('error', [KeyboardInterrupt, OSError, ValueError])
@pytest.mark.parametrize('before', [False, True])
def test_an_error_leaves_nothing(tmp_path, error, before):
    if before:
        write(tmp_path / 'out')
    with pytest.raises(error), new_folder(tmp_path / 'out', before) as folder:
        touch(folder, 'report.md')
        raise error
    assert os.listdir(tmp_path) == ['out'] * before
    if before:
        assert json.loads((tmp_path / 'out' / 'report.json').read_text())['number'] == 1


def test_a_report_is_replaced_if_that_is_wanted(tmp_path):
    write(tmp_path / 'out', name='old.md')
    with pytest.raises(FileExistsError, match='has a report; --overwrite replaces it'):
        check_out(tmp_path / 'out', False)
    write(tmp_path / 'out', 2, overwrite=True)
    assert sorted(os.listdir(tmp_path / 'out')) == ['figures', 'report.json', 'report.md']
    assert json.loads((tmp_path / 'out' / 'report.json').read_text())['number'] == 2
    assert os.listdir(tmp_path) == ['out']


def test_other_files_are_not_replaced(tmp_path):
    write(tmp_path / 'out')
    touch(tmp_path / 'out', 'figures/mine.png', 'notes.md')
    with pytest.raises(FileExistsError, match=r'also holds figures/mine\.png, notes\.md'):
        write(tmp_path / 'out', 2, overwrite=True)
    assert os.listdir(tmp_path) == ['out']


@pytest.mark.parametrize('content', [None, '{}', 'no JSON', '{"files": null}'])
def test_a_folder_of_other_files(tmp_path, content):
    touch(tmp_path / 'out', 'notes.md')
    if content is not None:
        (tmp_path / 'out' / 'report.json').write_text(content)
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match=r'no report: wanted a new'):
            check_out(tmp_path / 'out', overwrite)


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / 'out').mkdir()
    write(tmp_path / 'out')
    assert (tmp_path / 'out' / 'report.json').is_file()


def test_no_folder(tmp_path):
    touch(tmp_path, 'file')
    (tmp_path / 'link').symlink_to(tmp_path / 'nowhere')
    for name in ('file', 'link'):
        with pytest.raises(FileExistsError, match=f"/{name}' is not a folder"):
            check_out(tmp_path / name, True)


def test_a_number_that_is_not_finite_is_refused(tmp_path):
    with pytest.raises(ValueError, match='not JSON compliant'):
        write_report_file({'number': float('nan')}, tmp_path)
    assert os.listdir(tmp_path) == []
