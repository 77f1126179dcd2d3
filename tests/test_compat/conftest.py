"""Code in new processes, and made-up packages."""

import importlib
import json
import os
import subprocess
import sys

import pytest


def _run(code, *args) -> str:
    """The output of a new process, which must not write to stderr."""
    done = subprocess.run(
        [sys.executable, '-c', code, *map(str, args)],
        capture_output=True,
        text=True,
        env=os.environ | dict(OMP_NUM_THREADS='1'),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ''
    return done.stdout


@pytest.fixture(scope='session')
def run_code():
    """Run code in a new process, and return what it prints."""
    return _run


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Installs made-up distributions, whose name may not be their module's."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(distribution=None, module=None, version='1.2', top_level=True):
        if module is not None:
            (tmp_path / module).mkdir()
            (tmp_path / module / '__init__.py').write_text(f'__version__ = {version!r}\n')
        if distribution is not None:
            info = tmp_path / f'{distribution.replace("-", "_")}-{version}.dist-info'
            info.mkdir()
            text = f'Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n'
            (info / 'METADATA').write_text(text)
            if top_level:
                (info / 'top_level.txt').write_text(f'{module}\n')
        importlib.invalidate_caches()
        return tmp_path

    yield install
    sys.modules.pop('toyvision', None)


AFTER_IMPORT = """
import gc, json, sys
import mmvitkd
from mmengine.registry import HOOKS, LOOPS, MODELS, TASK_UTILS
heavy = [n for n in ('sklearn', 'scipy.stats') if n in sys.modules]
limit = sys.getrecursionlimit()
from mmrazor import registry
named = {
    name: sorted(r.module_dict) for name, r in vars(registry.registry).items()
    if isinstance(r, type(MODELS)) and r.scope == 'mmrazor'
}
handler = TASK_UTILS.build(dict(type='mmrazor.CartsHandler', num_trees=2))
import numpy as np
handler.fit(np.arange(8.0).reshape(4, 2), np.arange(4.0))
from mmrazor.models.distillers import ofd_distiller
print(json.dumps(dict(
    heavy=heavy, limit=limit, gc=gc.isenabled(), named=named,
    predicted=handler.predict(np.ones((1, 2))).shape, cdf=ofd_distiller.norm.cdf(0.0))))
"""


@pytest.fixture(scope='session')
def after_import():
    """What a new process finds once mmvitkd is imported."""
    return json.loads(_run(AFTER_IMPORT))
