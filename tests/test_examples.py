"""The notebooks and scripts of examples/, run from an installed wheel outside the clone."""

import re

import mmvitkd  # noqa: F401

import nbformat
import pytest
from nbclient import NotebookClient
from wheels import ROOT, run

EXAMPLES = ROOT / 'examples'
NOTEBOOKS = sorted(path.name for path in EXAMPLES.glob('*.ipynb'))


def read(name):
    return nbformat.read(EXAMPLES / name, as_version=4)


@pytest.fixture
def execute(site, tmp_path, monkeypatch):
    """Runs a notebook in an empty folder; returns what it printed and how many pictures."""
    for name in ('IPYTHONDIR', 'JUPYTER_RUNTIME_DIR'):
        monkeypatch.setenv(name, str(tmp_path / 'jupyter'))
    monkeypatch.setenv('PYTHONPATH', str(site))
    work = tmp_path / 'work'
    work.mkdir()

    def execute(name):
        notebook = read(name)
        where = {'metadata': {'path': str(work)}}
        NotebookClient(notebook, timeout=300, kernel_name='python3', resources=where).execute()
        outputs = [out for cell in notebook.cells for out in cell.get('outputs', ())]
        pictures = sum('image/png' in out.get('data', {}) for out in outputs)
        return ''.join(out.get('text', '') for out in outputs), pictures, work

    return execute


def test_a_folder_is_distilled(execute):
    printed, pictures, work = execute('distil_your_folder.ipynb')
    found = [float(r2) for r2 in re.findall(r'^\S*val_r2: (\S+)$', printed, re.M)]
    assert found and min(found) > 0.5
    assert pictures == 1
    for name in ('student.onnx', 'timm/model.safetensors', 'README.md'):
        assert (work / 'student' / name).stat().st_size > 1000


def test_a_report_is_read(execute):
    printed, pictures, _ = execute('read_a_report.ipynb')
    counts = re.findall(r'block \d: (\d+) directions of an image, (\d+) of all', printed)
    assert len(counts) == 6
    assert all(2 * int(own) < int(shared) for own, shared in counts)  # as its text says
    assert pictures == 7


@pytest.mark.parametrize('name', NOTEBOOKS)
def test_notebooks_are_kept_without_outputs(name):
    for cell in read(name).cells:
        assert not cell.get('outputs') and cell.get('execution_count') is None


def test_lift_and_widelast_in_a_plain_loop(site, tmp_path):
    script = EXAMPLES / 'plain_pytorch.py'
    printed = run(script, '--epochs', '1', cwd=tmp_path, PYTHONPATH=str(site))
    names = [line.partition(':')[0] for line in printed.splitlines()]
    assert names == ['teacher', 'Plain', 'Lift', 'Widened']


@pytest.mark.parametrize('name', NOTEBOOKS)
def test_documents_that_notebooks_name_exist(name):
    texts = [cell.source for cell in read(name).cells if cell.cell_type == 'markdown']
    named = set(re.findall(r'`(docs/\S+\.md)`', '\n'.join(texts)))
    assert named and all((ROOT / path).is_file() for path in named)
