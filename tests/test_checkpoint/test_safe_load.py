"""Objects in checkpoints: harmless ones are left out, all others refused."""

import argparse
import collections
import datetime
import os
import pathlib
import pickle
import subprocess
import types
import warnings

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.read import student_weights
from mmvitkd.checkpoint.safe_load import Placeholder, UnsafeCheckpointError, safe_load

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

WEIGHTS = {'fc.weight': torch.arange(4000.0).view(40, 100), 'fc.bias': torch.ones(40)}
ALL_KINDS = dict(
    namespace=argparse.Namespace(lr=5e-4, out=pathlib.Path('out'), betas=(0.9, 0.999)),
    simple_namespace=types.SimpleNamespace(a=1),
    path=pathlib.Path('out'),
    defaultdict=collections.defaultdict(list, a=[1]),
    time=datetime.datetime(2020, 1, 1),
    config=Config(dict(a=dict(b=1))),
    config_dict=ConfigDict(a=dict(b=1)),
    history=HistoryBuffer([1.0, 2.0], [1, 1]),
    array=np.arange(6.0).reshape(2, 3),
    words=np.array(['cat', 'dog']),
    objects=np.array([{}], dtype=object),
    scalars=[np.float64(0.5), np.int64(3), np.bool_(True)],
    generators=[np.random.RandomState(0), np.random.default_rng(0)],
    version=torch.torch_version.TorchVersion('2.13.0'),
    python=[frozenset([1]), slice(1), range(3), 1j, {2}, b'a', bytearray(b'a')],
)


def _save(content, path, how='torch') -> str:
    """As torch saves now or saved before 1.6, or as pickle does."""
    if how == 'pickle':
        path.write_bytes(pickle.dumps(content, protocol=2))
    elif how == 'protocol 4':
        torch.save(content, path, pickle_protocol=4)
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how != 'before 1.6')
    return str(path)


def _assert_equal(found, wanted):
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


@pytest.fixture(autouse=True)
def allowed():
    """Whatever happens, torch's own list of what is safe stays as it was."""
    before = set(map(str, torch.serialization.get_safe_globals()))
    yield
    assert set(map(str, torch.serialization.get_safe_globals())) == before


# What is left out ---------------------------------------------------------------------


@pytest.mark.parametrize('how', ['torch', 'before 1.6'])
@pytest.mark.parametrize('kind', ALL_KINDS)
def test_weights_are_read_next_to_each_kind(kind, how, tmp_path):
    content = dict(model=WEIGHTS, other=ALL_KINDS[kind], epoch=3)
    found = safe_load(_save(content, tmp_path / 'file.pth', how))
    assert found.keys() == content.keys()
    assert found['epoch'] == 3
    _assert_equal(found['model'], WEIGHTS)


@pytest.mark.parametrize('how', ['torch', 'before 1.6'])
def test_weights_are_read_next_to_all_kinds_together(how, tmp_path):
    content = dict(model=WEIGHTS, args=argparse.Namespace(**ALL_KINDS), **ALL_KINDS)
    found = safe_load(_save(content, tmp_path / 'file.pth', how))
    _assert_equal(found['model'], WEIGHTS)
    assert type(found['args']) is type(found['history']) is type(found['array']) is Placeholder
    assert found['defaultdict'] == {'a': [1]}


def test_the_arrays_of_old_and_new_numpy(tmp_path):
    path = tmp_path / 'file.pkl'
    new, old = b'numpy._core.multiarray', b'numpy.core.multiarray'
    content = pickle.dumps(dict(array=np.arange(3), scalar=np.float64(1)), protocol=2)
    content = content.replace(old, new)
    assert new in content
    for name in (new, old):
        path.write_bytes(content.replace(new, name))
        found = _load_bare(path)
        assert (type(found['array']), type(found['scalar'])) == (Placeholder, Placeholder)


def _load_bare(path):
    """Load a bare pickle as the pickle within torch's file of before 1.6."""
    target = path.with_suffix('.pth')
    torch.save({}, target, _use_new_zipfile_serialization=False)
    empty, storages = pickle.dumps({}, protocol=2), pickle.dumps([], protocol=2)
    content = target.read_bytes()
    assert content.endswith(empty + storages)
    target.write_bytes(content.removesuffix(empty + storages) + path.read_bytes() + storages)
    return safe_load(str(target))


class Net(BaseModel):
    """A classifier that logs."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 3)

    def forward(self, inputs, mode='tensor'):
        loss = self.fc(inputs).square().mean()
        return dict(loss=loss, norm=loss.detach().sqrt()) if mode == 'loss' else loss


@pytest.fixture
def mmengine_checkpoint(tmp_path, monkeypatch):
    """What a training with MMEngine's own hooks alone leaves, and its model."""
    monkeypatch.setattr(Runner, '_log_env', lambda *args: None)  # it calls compilers
    runner = Runner(
        model=Net(),
        work_dir=str(tmp_path),
        train_dataloader=dict(
            dataset=[dict(inputs=torch.ones(2) * i) for i in range(4)],
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
            batch_size=2,
            num_workers=0,
        ),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.1)),
        default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
        custom_hooks=[dict(type='EMAHook')],
        experiment_name='safe_load',
        log_level='ERROR',
    )
    runner.train()
    return str(tmp_path / 'epoch_1.pth'), runner.model


def test_a_whole_checkpoint_of_mmengine(mmengine_checkpoint):
    path, model = mmengine_checkpoint
    with pytest.raises(pickle.UnpicklingError, match=r'HistoryBuffer|numpy'):
        torch.load(path, weights_only=True)
    logged = safe_load(path)['message_hub']['log_scalars']
    assert {type(value) for value in logged.values()} == {Placeholder}
    assert 'train/loss' in logged
    # MMEngine's hook swaps the two.
    _assert_equal(student_weights(path, ema=True), model.state_dict())
    averaged = student_weights(path)
    assert averaged.keys() == model.state_dict().keys()
    assert not torch.equal(averaged['fc.weight'], model.fc.weight)


# What is refused ----------------------------------------------------------------------


class Payload:
    """Unpickled the usual way, it calls a function."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


def _payloads(made):
    return {
        'posix.system': Payload(os.system, f'touch {made}'),
        'builtins.eval': Payload(eval, f"open({str(made)!r}, 'w')"),
        'builtins.exec': Payload(exec, f"open({str(made)!r}, 'w')"),
        'commands.Popen': Payload(subprocess.Popen, ['touch', str(made)]),  # subprocess's
        f'{pathlib.Path.__module__}.Path': Payload(pathlib.Path.touch, made),  # 3.13: _local
        'numpy.save': Payload(np.save, str(made), 1),
    }


@pytest.mark.parametrize('how', ['torch', 'before 1.6', 'pickle', 'protocol 4'])
@pytest.mark.parametrize('name', _payloads(''))
def test_nothing_is_executed(tmp_path, name, how):
    made = tmp_path / 'made.npy'
    # How pickle itself saves a tensor would be refused already.
    weights = {} if how == 'pickle' else WEIGHTS
    content = dict(state_dict=weights, args=argparse.Namespace(), meta=_payloads(made)[name])
    path = _save(content, tmp_path / 'file.pth', how)
    _load_unsafely(path, how)
    made.unlink()  # it does work
    # Of another protocol than its own, torch reads nothing.
    refusal = pickle.UnpicklingError if how == 'protocol 4' else UnsafeCheckpointError
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        with pytest.raises(refusal) as error:
            safe_load(path)
    assert how == 'protocol 4' or name in str(error.value)
    assert not made.exists()


def _load_unsafely(path, how):
    if how == 'pickle':
        found = pickle.loads(pathlib.Path(path).read_bytes())
    else:
        found = torch.load(path, weights_only=False)
    if isinstance(found['meta'], subprocess.Popen):
        found['meta'].wait()


def test_a_whole_model_is_not_unpickled(tmp_path):
    path = _save(nn.Linear(2, 2), tmp_path / 'file.pth')
    message = (
        r'numbers, strings and lists: torch\.nn\.modules\.linear\.Linear\. .*torch\.save\(m'
    )
    with pytest.raises(UnsafeCheckpointError, match=message):
        safe_load(path)


@pytest.mark.parametrize(
    'name',
    [
        'mmengine.utils.path.mkdir_or_exist',  # a function
        'numpy.testing._private.utils.runstring',
        'pathlib.os.system',
        'argparse.Namespaces',
        'xargparse.Namespace',
        'torch.hub.load',
    ],
)
def test_names_similar_to_allowed_ones_are_refused(name, tmp_path):
    module, function = name.rsplit('.', 1)
    pickled = f'\x80\x02}}X\x01\x00\x00\x00xc{module}\n{function}\n)Rs.'.encode('latin1')
    (tmp_path / 'file.pkl').write_bytes(pickled)
    with pytest.raises(UnsafeCheckpointError, match=f'lists: {name}\\.'):
        _load_bare(tmp_path / 'file.pkl')


def test_torchs_error_about_a_broken_file_is_kept(tmp_path):
    path = tmp_path / 'file.pth'
    path.write_bytes(b'')
    with pytest.raises(EOFError):
        safe_load(str(path))
