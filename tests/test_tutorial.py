"""The tutorial's commands, run one after the other from an installed wheel.

On a fifth of its images: what it promises of accuracy is not tested.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import mmvitkd  # noqa: F401

import onnxruntime

TUTORIAL = (Path(__file__).parents[1] / 'docs' / 'tutorial.md').read_text()
COMMANDS = re.findall(r'```bash\n(.*?)```', TUTORIAL, re.DOTALL)


def shell(command, site, cwd):
    """What a command of the tutorial prints, with `python` being this one."""
    python = os.path.dirname(sys.executable)
    environment = dict(
        os.environ,
        PYTHONPATH=str(site),
        PATH=f'{python}{os.pathsep}{os.environ["PATH"]}',
        OMP_NUM_THREADS='1',
    )
    done = subprocess.run(
        ['bash', '-euo', 'pipefail', '-c', command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, command + done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def thin_out(folder, keep=5):
    """Leave every fifth image, and those that the tutorial asks about."""
    for i, path in enumerate(sorted(folder.rglob('*.png'))):
        if i % keep and path.name not in TUTORIAL:
            path.unlink()


def test_every_command_in_order(site, tmp_path):
    where = shell('python -c "import mmvitkd; print(mmvitkd.__file__)"', site, tmp_path)
    assert where.strip() == str(site / 'mmvitkd' / '__init__.py')
    assert len(COMMANDS) == 18
    printed = [shell(COMMANDS[0], site, tmp_path)]
    thin_out(tmp_path / 'data' / 'digits')
    printed += [shell(command, site, tmp_path) for command in COMMANDS[1:]]
    assert 'mean=[33.' in printed[1]
    assert "The teacher's own validation top-1: " in printed[5]
    top1 = [re.search(r'accuracy/top1: (\S+)', printed[i])[1] for i in (6, 8)]
    assert top1[0] == top1[1]
    assert float(top1[0]) > 15  # on a fifth of the images; chance is 10
    assert printed[9].split()[0] == printed[10].strip()
    files = {path.name for path in (tmp_path / 'digits_student').iterdir()}
    students = {'student.onnx', 'student.pth', 'student.py'}
    assert files == {'README.md', 'SHA256SUMS', *students}
    check_without_labels(tmp_path, printed[11:])


def check_without_labels(folder, printed):
    """After a flat folder is there, six commands end in an embedding and its ONNX file."""
    count = len(list((folder / 'photos').iterdir()))
    _, _, training, scores, _, shape, _ = printed
    assert f'{count - count // 10} images without labels' in training
    assert shape.split() == [str(count), f'({count},', '32)']
    assert float(re.search(r'feature/val_r2: (\S+)', training)[1]) > 0
    assert 'R2 of a ridge readout' in scores and 'left out: knn' in scores
    session = onnxruntime.InferenceSession(folder / 'digits_encoder' / 'student.onnx')
    assert [output.name for output in session.get_outputs()] == ['embedding', 'features']
    assert (folder / 'neighbours.png').stat().st_size > 10_000
