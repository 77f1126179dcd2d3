"""What importing leaves out, and leaves as it was."""

import subprocess
import sys

import pytest


def test_importing_leaves_the_interpreter_as_it_was(after_import):
    assert after_import['limit'] == sys.getrecursionlimit()
    assert after_import['gc'] is True


def test_what_distillation_does_not_need_is_lazy_imports(after_import):
    assert after_import['heavy'] == []
    assert after_import['predicted'] == [1, 1]  # by scikit-learn
    assert after_import['cdf'] == 0.5  # by scipy.stats


@pytest.mark.parametrize(
    ('before', 'frozen'), [('', True), ('import torch', False)], ids=['first', 'after torch']
)
def test_objects_of_a_user_stay_collectable(before, frozen):
    """Importing freezes objects only where no model of a user's can be among them."""
    code = f'{before}\nimport mmvitkd, gc\nprint(gc.get_freeze_count() > 1e5, gc.isenabled())'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout.split() == [str(frozen), 'True']
