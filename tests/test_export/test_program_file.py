"""The student as a program of torch.export."""

import zipfile

import mmvitkd  # noqa: F401
from mmvitkd.export.parity import as_list
from mmvitkd.export.program_file import load_pt2, write_pt2

import pytest
import torch


@pytest.mark.parametrize('kind', ['ours', 'lift', 'widelast'])
@pytest.mark.parametrize('labels', [True, False], ids=['head', 'encoder'])
def test_it_gives_the_outputs_for_any_batch_size(kind, labels, read, tmp_path):
    student = read(kind, labels=labels)
    write_pt2(student, tmp_path / 'student.pt2')
    with zipfile.ZipFile(tmp_path / 'student.pt2') as archive:
        graphs = [archive.read(name) for name in archive.namelist() if name.endswith('.json')]
    assert graphs and not any(b'.py' in graph for graph in graphs)
    module = load_pt2(tmp_path / 'student.pt2')
    for batch_size in (1, 5):
        images = torch.randn(batch_size, 3, 32, 32)
        with torch.no_grad():
            wanted, found = student.model(images), module(images)
        for one, two in zip(as_list(found), as_list(wanted), strict=True):
            torch.testing.assert_close(one, two, rtol=0, atol=1e-5)
