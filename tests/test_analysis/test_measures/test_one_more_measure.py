"""One more measure turns no test of the others red."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
TESTS = (
    *('test_measures/test_selection.py', 'test_measures/test_base.py'),
    *('test_plotting/test_model_overlays.py', 'test_report', 'test_runner/test_memory.py'),
    'test_runner/test_measure_runner.py',
)
PLUGIN = '''
"""Registers a measure with a column, rows and a figure over blocks, all of them by default."""

import mmvitkd
from mmvitkd.analysis.measures import ALL_FEATURES, Measure, ReportFigure, Table
from mmvitkd.analysis.measures.shared_tables import SUMMARIES
from mmvitkd.registry import MEASURES

MEASURES.import_from_location()


def draw(blocks):
    from matplotlib.figure import Figure

    having = [block for block in blocks.values() if 'one_more' in block]
    return Figure() if having else None


@MEASURES.register_module()
class OneMoreMeasure(Measure):
    name = 'one_more'
    meaning = 'always 1'
    needs = ALL_FEATURES
    entries = ('one_more',)
    columns = {'one more': lambda block: block['one_more']}
    tables = {
        SUMMARIES: lambda block: [('one_more', block['one_more'], *[''] * 5)],
        Table('one_more', ('value',)): lambda block: [(block['one_more'],)],
    }
    figures = (ReportFigure('one_more', 'One more', 'It is 1.', draw, draw),)
    numbers = (lambda report: [],)

    @classmethod
    def state_bytes(cls, block, num_blocks):
        return 2**30

    def update(self, batch):
        pass

    def result(self):
        return {'one_more': 1.0}
'''


def test_one_more_measure_turns_no_test_red(tmp_path):
    (tmp_path / 'one_more_measure.py').write_text(PLUGIN)
    paths = [str(ROOT / 'tests/test_analysis' / path) for path in TESTS]
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-p', 'one_more_measure', *paths],
        cwd=ROOT,
        env=os.environ | dict(PYTHONPATH=os.pathsep.join([str(ROOT), str(tmp_path)])),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
