"""Reports are read by file or folder, and invalid ones refused."""

import json

import mmvitkd  # noqa: F401
from mmvitkd.analysis.report.read_report import block_of, read_report

import pytest
from representation_reports import report


@pytest.fixture
def write(tmp_path):
    def write(content):
        file = tmp_path / 'report.json'
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return file

    return write


def test_a_report_is_read_by_its_file_or_folder(write):
    content = report()
    file = write(content)
    assert read_report(file) == read_report(file.parent) == content


def test_the_last_block_is_the_last_of_the_report():
    content = report(blocks=('0', '1', 'neck'))
    assert block_of(content, 'last', 'a') == 'neck'
    assert block_of(content, '1', 'a') == '1'
    with pytest.raises(ValueError, match=r"^a: blocks: there is no '7', only 0, 1, neck\.$"):
        block_of(content, '7', 'a')


def test_a_report_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=rf'^{tmp_path}/report\.json: there is no such'):
        read_report(tmp_path)
    with pytest.raises(FileNotFoundError, match=r'no\.json: there is no such report'):
        read_report(tmp_path / 'no.json')


@pytest.mark.parametrize(
    ('content', 'wrong'),
    [
        ('{', 'invalid JSON: '),
        ('[]', "found no 'model', wanted the report of a model"),
        ('"model"', "found no 'model', wanted the report of a model"),
        ('{"model": "a"}', "found no 'num_images', wanted the report of a model"),
    ],
)
def test_invalid_reports_are_refused(write, content, wrong):
    file = write(content)
    with pytest.raises(ValueError, match=f'^{file}: {wrong}'):
        read_report(file)


@pytest.mark.parametrize('blocks', [{}, [], None])
def test_a_report_without_blocks(write, blocks):
    file = write({**report(), 'blocks': blocks})
    with pytest.raises(ValueError, match=f'^{file}: blocks: found .*, wanted blocks by their'):
        read_report(file)


@pytest.mark.parametrize(
    ('path', 'missing'),
    [
        ('svd', 'curve'),
        ('pca', 'std'),
        ('rotation', 'null'),
        ('sorted_energy', 'bandwidth'),
        ('sep.full', 'curve'),
        ('sep.null', 'bandwidth'),
    ],
)
def test_a_measure_without_what_is_drawn(write, path, missing):
    content = report()
    measure = content['blocks']['1']
    for key in path.split('.'):
        measure = measure[key]
    del measure[missing]
    file = write(content)
    where = rf'^{file}: blocks\.1\.{path}: found no {missing!r}, wanted one'
    with pytest.raises(ValueError, match=where):
        read_report(file)


@pytest.mark.parametrize('where', ['', '.svd', '.sep', '.sep.full'])
def test_numbers_where_keys_are_wanted(write, where):
    content = report()
    holder, _, key = f'blocks.1{where}'.rpartition('.')
    measure = content
    for part in holder.split('.'):
        measure = measure[part]
    measure[key] = 7
    file = write(content)
    with pytest.raises(ValueError, match=rf'^{file}: blocks\.1{where}: found 7, wanted'):
        read_report(file)
