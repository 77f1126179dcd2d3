"""The scripts next to the package, on images and networks of seconds."""

import json

import pytest
import torch

from projects.mdbn.mdbn import MDBN, PairedImages
from projects.mdbn.mdbn.branch_spectra import BranchSpectra


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(1)
    torch.save(dict(params=MDBN(2, 4, 1).state_dict()), tmp_path / 'a.pth')
    return tmp_path / 'a.pth'


def test_sub_images(write, run, tmp_path, capsys):
    write('in/a.png', 60, 48)
    script = 'projects/mdbn/extract_subimages.py'
    run(script, tmp_path / 'in', tmp_path / 'out', '--scales', 2, '--size', 48, '--step', 24)
    assert 'wrote 2 sub-images' in capsys.readouterr().out
    assert len(list((tmp_path / 'out/LRx2').iterdir())) == 2
    with pytest.raises(SystemExit, match='--size=50'):
        run(script, tmp_path / 'in', tmp_path / 'new', '--size', 50)


def test_branches(write, run, checkpoint, tmp_path, capsys):
    for name in ('hr/a.png', 'hr/b.png'):
        write(name, 50, 44, seed=ord(name[3]))
    out = tmp_path / 'out'
    run('projects/mdbn/analyze_branches.py', checkpoint, tmp_path / 'hr', '--out', out)
    numbers = json.loads((out / 'branches.json').read_text())
    assert numbers['trained'] != numbers['untrained'] and numbers['trained']['images'] == 2
    share = numbers['trained']['blocks']['body.0.baseblock1']['deep']['above']
    assert f'{share:.3f} ±' in capsys.readouterr().out
    assert (out / 'branches.png').read_bytes().startswith(b'\x89PNG')


def test_branches_hold_one_image_in_memory(write, run, checkpoint, tmp_path, monkeypatch):
    for name in ('hr/a.png', 'hr/b.png'):
        write(name, 50, 44)
    events = []

    def record(kind, name):
        call = getattr(kind, name)

        def recorded(self, value):
            events.append(name)
            return call(self, value)

        monkeypatch.setattr(kind, name, recorded)

    record(PairedImages, '__getitem__')
    record(BranchSpectra, 'update')
    out = tmp_path / 'out'
    run('projects/mdbn/analyze_branches.py', checkpoint, tmp_path / 'hr', '--out', out)
    assert events == ['__getitem__', 'update'] * 4  # two images, for two networks


def test_what_cannot_be_analysed_is_told_in_a_line(write, run, checkpoint, tmp_path):
    script = 'projects/mdbn/analyze_branches.py'
    with pytest.raises(SystemExit, match=r'no\.pth.*no such file'):
        run(script, tmp_path / 'no.pth', tmp_path)
    with pytest.raises(SystemExit, match=r'--frequency=0\.7'):
        write('hr/a.png', 20, 20)
        run(script, checkpoint, tmp_path / 'hr', '--frequency', 0.7)


def test_what_cannot_be_converted_is_told_in_a_line(run, tmp_path):
    with pytest.raises(SystemExit, match=r"IN='.*no\.pth'.*no such file"):
        run('projects/mdbn/convert_checkpoint.py', tmp_path / 'no.pth', tmp_path / 'b.pth')
