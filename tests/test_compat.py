"""Other packages' versions: what is refused, what is patched, and what is left alone."""

import importlib
import json
import os
import subprocess
import sys
import types
import warnings
from importlib import metadata
from pathlib import Path

import mmvitkd
from mmvitkd import compat

import mmcv
import mmpretrain
import mmrazor
import pytest
import torch
from mmcv.cnn.bricks.transformer import FFN
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import MODELS
from mmengine.utils import deprecated_api_warning, get_installed_path, is_installed
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from safetensors.torch import save_file
from timm.models import _builder, _hub

NAMES = [package.module for package in compat.SUPPORTED]
FINE = dict(
    torch='2.13.0',
    numpy='2.4.6',
    timm='1.0.31',
    mmengine='0.10.7',
    mmcv='2.1.0',
    mmpretrain='1.2.0',
    mmrazor='1.0.0',
    joblib='1.6.0',
)


def _finder(**versions):
    """Finds these versions instead of the installed ones."""
    return lambda package: (FINE | versions)[package.module]


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


def test_the_screen_is_that_of_the_process():
    code = "import mmvitkd; from mmengine.logging import print_log; print_log('hi', 'current')"
    assert 'hi' in _run(code)


# Versions -----------------------------------------------------------------------------


def test_what_is_installed_is_supported():
    compat.check_versions()
    assert set(NAMES) == FINE.keys()


OUT_OF_RANGE = [(name, version) for name in NAMES for version in ('0.0.1', '99.0', None)]
OUT_OF_RANGE.remove(('joblib', '99.0'))  # any from 1.0 on is fine


@pytest.mark.parametrize(('name', 'version'), OUT_OF_RANGE)
def test_out_of_range(name, version):
    package = next(p for p in compat.SUPPORTED if p.module == name)
    with pytest.raises(RuntimeError) as error:
        compat.check_versions(_finder(**{name: version}))
    assert str(error.value) == (
        f'mmvitkd needs {name} {package.versions}, found {version or "none"}. '
        f'Fix: {package.pip}'
    )
    assert package.pip.startswith('pip install ')


@pytest.mark.parametrize(
    'versions',
    [
        dict(torch='2.6.0+cu124'),
        dict(torch='2.13.0+cpu'),
        dict(torch='2.14.1+cu130'),
        dict(numpy='1.26.0', timm='1.0.16', mmengine='0.10.5', mmcv='2.0.0'),
        dict(torch='2.14.0.dev20261101+cu130'),
        dict(mmengine='0.10.12', mmpretrain='1.3.6', mmcv='2.3.6'),  # the forks of today
    ],
    ids=str,
)
def test_in_range(versions):
    compat.check_versions(_finder(**versions))


@pytest.mark.parametrize(
    'versions',
    [
        dict(torch='2.5.1+cu124'),
        dict(torch='3.0.0'),
        dict(numpy='1.25.2'),
        dict(numpy='3.0.0'),
        dict(timm='1.0.15'),
        dict(mmengine='0.10.4'),
        dict(mmcv='2.4.0'),
    ],
    ids=str,
)
def test_just_out_of_range(versions):
    with pytest.raises(RuntimeError, match=next(iter(versions.values())).split('+')[0]):
        compat.check_versions(_finder(**versions))


@pytest.mark.parametrize('package', compat.SUPPORTED, ids=NAMES)
def test_every_pip_line_fixes_it(package):
    pins = dict(p.split('==') for p in package.pip.split('"') if '==' in p)
    for name, version in pins.items():
        if name in package.distributions:
            compat.check_versions(_finder(**{package.module: version}))
            break
    else:
        requirement = package.pip.removeprefix('pip install ').strip('"')
        assert requirement in (package.module, package.module + package.versions)


REQUIREMENTS = Path(__file__).parents[1] / 'requirements'


def _required(name) -> dict[str, SpecifierSet]:
    """The versions that a file asks for on this Python, by package."""
    lines = (REQUIREMENTS / f'{name}.txt').read_text().splitlines()
    lines = [line.split('#')[0].strip() for line in lines]
    found = [Requirement(line) for line in lines if line and line[0] != '-']
    return {x.name: x.specifier for x in found if x.marker is None or x.marker.evaluate()}


@pytest.mark.parametrize('package', compat.SUPPORTED, ids=NAMES)
def test_the_requirements_ask_for_the_same(package):
    for name in ('lite', 'mminstall', 'runtime'):
        for distribution, versions in _required(name).items():
            if distribution in package.distributions and distribution != 'mmcv-lite':
                if package.module == 'joblib':  # whose older ones are not refused
                    assert versions == SpecifierSet('>=1.3')
                else:
                    assert versions == SpecifierSet(package.versions)


@pytest.mark.parametrize('matrix', ['oldest', 'newest'])
def test_the_matrix_is_in_range(matrix):
    pinned = {name: str(versions)[2:] for name, versions in _required(matrix).items()}
    for package in compat.SUPPORTED:
        (version,) = (pinned[n] for n in package.distributions if n in pinned)
        assert SpecifierSet(package.versions).contains(version)
    for name in ('lite', 'runtime', 'onnx', 'saliency', 'demo'):
        for distribution, versions in _required(name).items():
            if distribution not in ('packaging', 'pyyaml') or matrix == 'newest':
                version = pinned[distribution.replace('_', '-')]
                assert versions.contains(version), distribution
                if matrix == 'oldest':
                    lowest = next(x.version for x in versions if x.operator == '>=')
                    assert version.startswith(lowest)


IMPORT_WITH = """
import sys
from importlib import metadata
version = metadata.version
metadata.version = lambda name: sys.argv[2] if name == sys.argv[1] else version(name)
import mmvitkd
"""


@pytest.mark.parametrize(
    ('name', 'version'),
    [('torch', '2.5.1'), ('numpy', '1.25.2'), ('timm', '2.0.0'), ('mmengine', '0.9.0')],
)
def test_the_import_names_what_is_out_of_range(name, version):
    command = [sys.executable, '-c', IMPORT_WITH, name, version]
    done = subprocess.run(command, capture_output=True, text=True)
    (package,) = (p for p in compat.SUPPORTED if p.module == name)
    assert done.returncode == 1
    (line,) = (x for x in done.stderr.splitlines() if x.startswith('RuntimeError'))
    for text in (name, package.versions, f'found {version}', package.pip):
        assert text in line


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


TOY = compat.Supported('toyvision', '>=1', ('toyvision', 'one-toyvision'), 'pip install toy')


@pytest.mark.parametrize('distribution', ['toyvision', 'one-toyvision'])
def test_finds_the_distribution_or_its_fork(site, distribution):
    site(distribution, 'toyvision', version='1.5+cu130')
    assert compat.installed_version(TOY) == '1.5+cu130'
    assert 'toyvision' not in sys.modules  # found without importing it


def test_finds_a_module_that_is_only_on_the_path(site):
    site(None, 'toyvision', version='1.7')
    assert compat.installed_version(TOY) == '1.7'


def test_finds_nothing(site):
    assert compat.installed_version(TOY) is None


@pytest.mark.parametrize(
    ('module', 'names'),
    [
        ('mmengine', {'mmengine', 'mmengine-lite', 'onedl-mmengine'}),
        ('mmcv', {'mmcv', 'mmcv-lite', 'onedl-mmcv'}),
        ('mmpretrain', {'mmpretrain', 'onedl-mmpretrain'}),
    ],
)
def test_the_forks_are_accepted(module, names):
    package = next(p for p in compat.SUPPORTED if p.module == module)
    assert set(package.distributions) == names


# Importing ----------------------------------------------------------------------------

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


@pytest.fixture(scope='module')
def after_import():
    """What a new process finds once mmvitkd is imported."""
    return json.loads(_run(AFTER_IMPORT))


def test_importing_leaves_the_interpreter_as_it_was(after_import):
    assert after_import['limit'] == sys.getrecursionlimit()
    assert after_import['gc'] is True


DEEP_JSON = """
import json, sys
sys.setrecursionlimit(2**20)  # as MMRazor does where it was imported before
import mmvitkd
import mmrazor.models.task_modules.tracer.fx_tracer, mmrazor.structures.graph.channel_flow
from mmvitkd.analysis.report.read_report import read_report
from pathlib import Path
Path(sys.argv[1]).write_text('[' * 1_000_000)
try:
    read_report(Path(sys.argv[1]))
except ValueError as error:
    print(sys.getrecursionlimit(), error)
"""


def test_deep_json_is_an_error_even_after_mmrazor(tmp_path):
    """With MMRazor's recursion limit it kills the process."""
    limit, error = _run(DEEP_JSON, tmp_path / 'report.json').split(' ', 1)
    assert limit == '1000'
    assert 'report.json: invalid JSON' in error


def test_an_older_timm_loads_weights_alone(monkeypatch):
    def load_state_dict_from_hf(model_id, filename='x', weights_only=False, cache_dir=None):
        return model_id, filename, weights_only, cache_dir

    monkeypatch.setattr(_hub, 'load_state_dict_from_hf', load_state_dict_from_hf)
    assert compat.patch_timm_unpickling()
    assert load_state_dict_from_hf('a') == ('a', 'x', True, None)
    assert load_state_dict_from_hf('a', weights_only=False) == ('a', 'x', False, None)
    assert not compat.patch_timm_unpickling()


TIMM_WITHOUT_HUB = """
import mmvitkd
from mmvitkd import compat
import huggingface_hub
from timm.models import _builder, _hub
name, lazy = 'repo_type_and_id_from_hf_id', huggingface_hub.__getattr__
def without(wanted):
    if wanted == name:
        raise AttributeError(wanted)
    return lazy(wanted)
huggingface_hub.__getattr__ = without
huggingface_hub.__dict__.pop(name, None)
_hub._has_hf_hub, _hub.hf_hub_download = False, None  # as after a failed import
print(compat.patch_timm_hub(), _builder.has_hf_hub(), compat.patch_timm_hub())
print(_hub.hf_hub_download is not None)
"""


def test_a_timm_that_takes_a_new_hub_for_missing():
    found = _run(TIMM_WITHOUT_HUB)
    assert found.split() == ['True', 'True', 'False', 'True']


def test_an_older_timm_reads_safetensors_of_a_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(metadata, 'version', lambda name: '1.0.25')
    monkeypatch.setattr(_builder, 'load_state_dict_from_path', lambda path, **_: 'pickled')
    assert compat.patch_timm_local_dir()
    assert not compat.patch_timm_local_dir()
    assert _builder.load_state_dict_from_path(tmp_path, weights_only=True) == 'pickled'
    save_file({'a': torch.ones(2)}, tmp_path / 'model.safetensors')
    found = _builder.load_state_dict_from_path(tmp_path, weights_only=True)
    assert found['a'].tolist() == [1, 1]


def test_a_newer_timm_reads_it_by_itself(monkeypatch):
    monkeypatch.setattr(metadata, 'version', lambda name: '1.0.26')
    assert not compat.patch_timm_local_dir()


@pytest.mark.parametrize(('version', 'needed'), [('2.6.0+cu124', True), ('2.11.0', False)])
def test_an_older_torch_compiles_the_ffn(monkeypatch, version, needed):
    def forward(self, x, identity=None):
        return x

    decorated = deprecated_api_warning({'residual': 'identity'}, 'FFN')(forward)
    monkeypatch.setattr(FFN, 'forward', decorated)
    monkeypatch.setattr(metadata, 'version', lambda name: version)
    assert compat.patch_ffn() is needed
    assert FFN.forward is (forward if needed else decorated)
    assert not compat.patch_ffn()


UNSAFE_LOAD = """
import os, sys
os.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] = '1'
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter('always')
    import mmvitkd
print([str(w.message) for w in caught if 'TORCH_FORCE' in str(w.message)])
import pickle, torch
class Payload:
    def __reduce__(self):
        return os.mkdir, (sys.argv[1] + '.made',)
torch.save(Payload(), sys.argv[1])
try:
    torch.load(sys.argv[1])  # as other packages call it
except pickle.UnpicklingError:
    print(os.path.exists(sys.argv[1] + '.made'))
"""


def test_no_environment_variable_lets_other_packages_unpickle(tmp_path):
    warned, made = _run(UNSAFE_LOAD, tmp_path / 'file.pth').splitlines()
    assert 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD' in warned
    assert made == 'False'


def test_what_distillation_does_not_need_is_lazy_imports(after_import):
    assert after_import['heavy'] == []
    assert after_import['predicted'] == [1, 1]  # by scikit-learn
    assert after_import['cdf'] == 0.5  # by scipy.stats


def test_every_type_of_mmrazor_is_registered(after_import):
    named = after_import['named']
    assert {'MetricPredictor', 'ModuleOutputsRecorder'} <= set(named['TASK_UTILS'])
    assert {'ConfigurableDistiller', 'OFDDistiller'} <= set(named['MODELS'])
    assert 'RazorVisualizationHook' in named['HOOKS']
    assert 'EvolutionSearchLoop' in named['LOOPS']


def test_importing_prints_nothing():
    assert _run('import mmvitkd') == ''


OTHER_WORLD = """
import json, sys
import mmcv
mmcv.__version__ = '2.3.6'
sys.modules['pkg_resources'] = None  # as with setuptools >= 81
import mmvitkd
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.utils import get_installed_path
found = dict(
    adaptations=mmvitkd.ADAPTATIONS,
    mmcv=mmcv.__version__,
    scope=Config.fromfile(sys.argv[1]).default_scope,
    path=get_installed_path('mmpretrain'),
)
print(json.dumps(found))
"""


def test_with_a_newer_mmcv_and_without_pkg_resources(tmp_path):
    config = tmp_path / 'config.py'
    config.write_text("_base_ = 'mmpretrain::_base_/default_runtime.py'\n")
    found = json.loads(_run(OTHER_WORLD, config))
    # onedl-mmengine does without that module itself.
    is_fork = 'onedl-mmengine' in metadata.packages_distributions()['mmengine']
    wanted = {'mmcv cap'} if is_fork else {'mmcv cap', 'pkg_resources'}
    assert wanted <= set(found['adaptations'])
    assert found['mmcv'] == '2.3.6'
    assert found['scope'] == 'mmpretrain'
    assert found['path'] == os.path.dirname(mmpretrain.__file__)


def test_a_second_time_there_is_nothing_to_do():
    assert compat.patch_torchvision() is False
    assert compat.patch_mmrazor_quantization() is False
    assert compat.patch_pkg_resources() is False
    assert compat.patch_config_prefix() is False
    with compat.mmrazor_accepts_mmcv() as needed:
        assert needed is False
    assert set(compat.apply()) <= {'DDP notice'}  # a filter, which can be set again


# torchvision --------------------------------------------------------------------------

# Its wheel registers fakes of the ops that its compiled part defines, where that loads.
FAKE_TORCHVISION = """
import torch
for op in ('nms', 'qnms'):
    torch.library.register_fake(f'torchvision::{op}')(lambda dets, scores, threshold: dets)
"""
PATCH_TORCHVISION = """
import importlib.util, json, sys
sys.path.insert(0, sys.argv[1])
spec = importlib.util.spec_from_file_location('compat', sys.argv[2])
compat = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compat)
import torch
if sys.argv[3] == 'works':
    schema = '(Tensor dets, Tensor scores, float iou_threshold) -> Tensor'
    for op in ('nms', 'qnms'):
        torch.library.define(f'torchvision::{op}', schema)
print(json.dumps([compat.patch_torchvision(), compat.patch_torchvision()]))
"""


@pytest.mark.parametrize(('state', 'patched'), [('broken', True), ('works', False)])
def test_torchvision_without_its_ops(tmp_path, state, patched):
    package = tmp_path / 'torchvision'
    package.mkdir()
    (package / '__init__.py').write_text(FAKE_TORCHVISION)
    found = _run(PATCH_TORCHVISION, tmp_path, compat.__file__, state)
    assert json.loads(found) == [patched, False]


FAILS_ONCE = """
from pathlib import Path
failed = Path(__file__).with_name('failed')
if not failed.exists():
    failed.touch()
    raise RuntimeError('compiled for another Python')
"""


def test_another_error_of_torchvision_is_not_hidden(tmp_path, monkeypatch):
    (tmp_path / 'torchvision').mkdir()
    (tmp_path / 'torchvision' / '__init__.py').write_text(FAILS_ONCE)
    monkeypatch.syspath_prepend(tmp_path)
    for name in [n for n in sys.modules if n.split('.')[0] == 'torchvision']:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(RuntimeError, match='compiled for another Python'):
        compat.patch_torchvision()


def test_torchvision_works_now():
    from torchvision.transforms import functional

    assert functional.hflip(torch.tensor([[1, 2]])).tolist() == [[2, 1]]


# MMRazor ------------------------------------------------------------------------------


def test_quantisation_raises_where_it_is_used():
    if 'mmrazor quantization' not in mmvitkd.ADAPTATIONS:
        pytest.skip('this MMRazor quantises')
    quantizer = dict(_scope_='mmrazor', type='TensorRTQuantizer', global_qconfig=dict())
    with pytest.raises(ImportError, match=r'cannot quantise .*MMRazor issue 632'):
        MODELS.build(quantizer)


def test_quantisation_that_is_imported_already_is_left_alone(monkeypatch):
    name = 'mmrazor.structures.quantization'
    real = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, real)
    assert compat.patch_mmrazor_quantization() is False
    assert sys.modules[name] is real


@pytest.fixture
def no_mmrazor(monkeypatch):
    monkeypatch.delitem(sys.modules, 'mmrazor')


@pytest.mark.parametrize('version', ['2.2.0', '2.3.6'])
def test_a_newer_mmcv_is_hidden_from_mmrazor(no_mmrazor, monkeypatch, version):
    monkeypatch.setattr(mmcv, '__version__', version)
    with compat.mmrazor_accepts_mmcv() as needed:
        assert needed is True
        assert mmcv.__version__ == '2.1.0'
    assert mmcv.__version__ == version


def test_mmcvs_version_is_restored_after_an_error(no_mmrazor, monkeypatch):
    monkeypatch.setattr(mmcv, '__version__', '2.3.6')
    with pytest.raises(ImportError), compat.mmrazor_accepts_mmcv():
        raise ImportError
    assert mmcv.__version__ == '2.3.6'


@pytest.mark.parametrize('version', ['2.0.0', '2.1.0', '2.1.0+cu130'])
def test_an_mmcv_that_mmrazor_knows_is_shown(no_mmrazor, monkeypatch, version):
    monkeypatch.setattr(mmcv, '__version__', version)
    with compat.mmrazor_accepts_mmcv() as needed:
        assert needed is False
        assert mmcv.__version__ == version


# pkg_resources ------------------------------------------------------------------------


@pytest.mark.parametrize('module', [mmpretrain, mmcv, mmrazor, torch, pytest])
def test_the_folder_of_a_package(module):
    folder = os.path.dirname(module.__file__)
    assert compat._get_installed_path(module.__name__) == folder
    (distribution,) = set(metadata.packages_distributions()[module.__name__])
    assert compat._get_installed_path(distribution) == folder
    assert compat._is_installed(distribution)
    assert compat._is_installed(module.__name__)


def test_the_folder_of_a_package_under_another_name(site):
    folder = site('one-toyvision', 'toyvision')
    assert compat._get_installed_path('one-toyvision') == str(folder / 'toyvision')
    assert compat._is_installed('one-toyvision')


def test_what_is_not_installed(site):
    assert compat._is_installed('toyvision') is False
    with pytest.raises(ImportError, match='toyvision'):
        compat._get_installed_path('toyvision')


def test_a_package_without_a_folder_of_its_own(site):
    folder = site('one-toyvision', None, top_level=False)
    with pytest.raises(RuntimeError, match='one-toyvision is not an installed package with'):
        compat._get_installed_path('one-toyvision')
    (folder / 'toyvision').mkdir()  # a namespace package
    assert compat._is_installed('toyvision') is False
    with pytest.raises(RuntimeError, match='toyvision is not an installed package with'):
        compat._get_installed_path('toyvision')


def test_mmengine_gets_these_answers(tmp_path):
    if 'pkg_resources' not in mmvitkd.ADAPTATIONS:
        pytest.skip('MMEngine has its own')
    assert get_installed_path is compat._get_installed_path
    assert is_installed is compat._is_installed
    config = tmp_path / 'config.py'
    config.write_text("_base_ = 'mmpretrain::_base_/models/vit-base-p16.py'\n")
    assert Config.fromfile(config).model.backbone.type == 'VisionTransformer'


def test_an_mmengine_that_does_not_ask_is_left_alone(monkeypatch):
    """Its fork, for example, reads the metadata itself."""
    from mmengine.utils import package_utils

    def own(package):
        return True

    monkeypatch.setitem(sys.modules, 'pkg_resources', None)
    monkeypatch.setattr(package_utils, 'is_installed', own)
    assert compat.patch_pkg_resources() is False
    assert package_utils.is_installed is own


def test_everything_in_mmengine_that_asks_is_answered(monkeypatch):
    from mmengine.utils import package_utils

    def ask(package):
        import pkg_resources

        return pkg_resources

    def path(package):
        return ask(package)

    monkeypatch.setitem(sys.modules, 'pkg_resources', None)
    user = types.ModuleType('mmengine.toyuser')
    user.is_installed, user.get_installed_path = ask, path
    monkeypatch.setitem(sys.modules, 'mmengine.toyuser', user)
    stranger = types.ModuleType('mmengine_toy')
    stranger.is_installed = ask
    monkeypatch.setitem(sys.modules, 'mmengine_toy', stranger)
    monkeypatch.setattr(package_utils, 'is_installed', ask)
    monkeypatch.setattr(package_utils, 'get_installed_path', path)
    assert compat.patch_pkg_resources() is True
    assert user.is_installed('mmpretrain') is True
    assert user.get_installed_path('mmpretrain') == os.path.dirname(mmpretrain.__file__)
    assert stranger.is_installed is ask
    assert compat.patch_pkg_resources() is False


# mmvitkd:: ----------------------------------------------------------------------------

CONFIGS = Path(__file__).parents[1] / 'configs'
NAMES_OF_OURS = [
    'cait_s24_deit_tiny_widelast.py',
    'mnist5k/vit_32.py',
    '_base_/default_runtime.py',
]


@pytest.fixture
def inherit(tmp_path):
    """Load a config that inherits another and says nothing else."""

    def load(base):
        (tmp_path / 'own.py').write_text(f'_base_ = {base!r}\n')
        return Config.fromfile(tmp_path / 'own.py')

    return load


@pytest.mark.parametrize('name', NAMES_OF_OURS)
def test_the_prefix_is_as_good_as_the_path(inherit, name):
    """No `_scope_` is added either: another than MMPretrain's would not build."""
    assert inherit(f'mmvitkd::{name}').to_dict() == inherit(str(CONFIGS / name)).to_dict()


def test_a_config_that_inherits_ours_builds(inherit):
    config = inherit('mmvitkd::cait_s24_deit_tiny_widelast.py')
    student = mmpretrain.registry.MODELS.build(config.model.architecture)
    assert sum(p.numel() for p in student.parameters()) == 7_313_896


def test_a_config_that_inherits_mmpretrains_builds(inherit):
    config = inherit('mmpretrain::deit/deit-tiny_4xb256_in1k.py')
    model = mmpretrain.registry.MODELS.build(config.model)
    assert sum(p.numel() for p in model.parameters()) == 5_717_416


def test_a_name_that_is_not_ours_is_an_error(inherit):
    message = (
        r'no config mmvitkd::cait_s24_widelast\.py; did you mean mmvitkd::cait_s24_\w+\.py'
    )
    with pytest.raises(FileNotFoundError, match=message):
        inherit('mmvitkd::cait_s24_widelast.py')


@pytest.fixture
def stock(monkeypatch):
    """An unpatched MMEngine, with a stand-in that answers every path."""
    monkeypatch.delitem(MODULE2PACKAGE, 'mmvitkd')

    def answer(cfg_path, filename):
        return cfg_path, 'asked'

    monkeypatch.setattr(Config, '_get_cfg_path', staticmethod(answer))
    return answer


def test_only_our_prefix_is_answered(stock):
    assert compat.patch_config_prefix() is True
    assert compat.patch_config_prefix() is False
    assert MODULE2PACKAGE['mmvitkd'] == 'mmvitkd'
    path = str(CONFIGS / NAMES_OF_OURS[0])
    assert Config._get_cfg_path(f'mmvitkd::{NAMES_OF_OURS[0]}', 'own.py') == (path, None)
    for other in ('mmpretrain::deit/x.py', './mmvitkd.py', '../x.py', '/mmvitkd/x.py'):
        assert Config._get_cfg_path(other, 'own.py') == (other, 'asked')


def test_an_mmengine_that_knows_the_prefix_is_left_alone(stock, monkeypatch):
    monkeypatch.setitem(MODULE2PACKAGE, 'mmvitkd', 'mmvitkd')
    assert compat.patch_config_prefix() is False
    assert Config._get_cfg_path is stock


# DDP ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('version', 'needed'),
    [('2.11.0+cu130', False), ('2.12.1', False), ('2.13.0+cpu', True), ('2.14.0', True)],
)
def test_ddps_notice(monkeypatch, version, needed):
    monkeypatch.setattr(metadata, 'version', lambda name: version)
    wrapper = 'mmengine.model.wrappers.distributed'
    notice = '`broadcast_buffers` is deprecated. Use `forward_sync_buffers` instead.'
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        assert compat.silence_ddp_notice() is needed
        warnings.warn_explicit(notice, FutureWarning, 'file.py', 1, wrapper)
        warnings.warn_explicit('another one', FutureWarning, 'file.py', 1, wrapper)
        warnings.warn_explicit(notice, FutureWarning, 'file.py', 1, 'users_own_code')
    wanted = ['another one', notice] if needed else [notice, 'another one', notice]
    assert [str(warning.message) for warning in caught] == wanted


def test_this_file_is_the_only_place_that_knows_versions():
    package = Path(compat.__file__).parent
    for path in package.rglob('*.py'):
        if path.name not in ('compat.py', 'version.py'):
            assert '__version__ <' not in path.read_text(), path
            assert 'digit_version' not in path.read_text(), path


@pytest.mark.parametrize(
    ('before', 'frozen'), [('', True), ('import torch', False)], ids=['first', 'after torch']
)
def test_objects_of_a_user_stay_collectable(before, frozen):
    """Importing freezes objects only where no model of a user's can be among them."""
    code = f'{before}\nimport mmvitkd, gc\nprint(gc.get_freeze_count() > 1e5, gc.isenabled())'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout.split() == [str(frozen), 'True']
