"""Compact files are compared with the student, and refused if they lose too much."""

import mmvitkd  # noqa: F401
from mmvitkd.export import compact_files
from mmvitkd.export.compact_files import COMPACT, compare_files, write_compact
from mmvitkd.export.sample_images import SampleImages

import pytest

pytest.importorskip('onnxruntime')


@pytest.fixture
def student(read):
    return read('plain')


@pytest.fixture
def samples(student):
    images = student.images(24)
    return SampleImages(images[:8], images[8:], None)


def test_each_format_is_written_and_compared(student, samples, tmp_path):
    for name in COMPACT:
        write_compact(student, tmp_path, name, samples)
    found = compare_files(student, tmp_path, samples)
    assert set(found) == set(COMPACT.values())  # student.onnx was not asked for
    assert found['student.pt2'].error < 1e-9
    assert 1e-9 < found['student.fp16.onnx'].error < found['student.int8.onnx'].error


def test_a_file_that_loses_too_much_is_refused(student, samples, tmp_path, monkeypatch):
    file = tmp_path / COMPACT['pt2']
    file.write_bytes(b'')

    def worse(path):
        return lambda images: [-student.model(images)]

    monkeypatch.setattr(compact_files, '_runner', worse)
    with pytest.raises(ValueError, match=r'student\.pt2: its error is .*0\.05.*force=True'):
        compare_files(student, tmp_path, samples)
    found = compare_files(student, tmp_path, samples, force=True)
    assert found['student.pt2'].error > 1
