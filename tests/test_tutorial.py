"""The tutorial's commands, run one after the other from an installed wheel."""

import os
import re
import subprocess
import sys
from pathlib import Path

import mmvitkd  # noqa: F401

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


def test_every_command_in_order(site, tmp_path):
    where = shell('python -c "import mmvitkd; print(mmvitkd.__file__)"', site, tmp_path)
    assert where.strip() == str(site / 'mmvitkd' / '__init__.py')
    assert len(COMMANDS) == 11
    printed = [shell(command, site, tmp_path) for command in COMMANDS]
    assert 'mean=[33.' in printed[1]
    assert "The teacher's own validation top-1: " in printed[5]
    top1 = [re.search(r'accuracy/top1: (\S+)', printed[i])[1] for i in (6, 8)]
    assert top1[0] == top1[1]
    assert float(top1[0]) > 80
    assert printed[9].split()[::2] == ['3', '7']
    assert printed[10].strip() == '3'
    files = {path.name for path in (tmp_path / 'digits_student').iterdir()}
    assert files == {'README.md', 'student.onnx', 'student.pth', 'student.py'}
