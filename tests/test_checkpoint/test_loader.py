"""MMEngine's ways to load a checkpoint: none executes what is in it, however it is set up."""

import itertools
import json
import os
from contextlib import nullcontext

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint import loader

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.infer import BaseInferencer
from mmengine.model import BaseModel, BaseModule
from mmengine.runner import CheckpointLoader, Runner, load_checkpoint
from torch import nn

COUNT = itertools.count()  # MMEngine reuses a logger of the same name
UNSAFE = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'
WEIGHTS = {'fc.weight': torch.ones(3, 2), 'fc.bias': torch.zeros(3)}


class Payload:
    """Unpickled the usual way, it makes a folder."""

    def __init__(self, made):
        self.made = made

    def __reduce__(self):
        return os.mkdir, (str(self.made),)


class Net(BaseModel):
    """A classifier of two numbers."""

    def __init__(self, init_cfg=None):
        super().__init__(init_cfg=init_cfg)
        self.fc = nn.Linear(2, 3)

    def forward(self, inputs, mode='tensor'):
        loss = self.fc(inputs).square().mean()
        return dict(loss=loss) if mode == 'loss' else loss


def _runner(folder, epochs, **kwargs):
    return Runner(
        model=Net(),
        work_dir=str(folder),
        train_dataloader=dict(
            dataset=[dict(inputs=torch.ones(2) * i) for i in range(4)],
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
            batch_size=2,
            num_workers=0,
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.1)),
        default_hooks=dict(checkpoint=dict(type='mmvitkd.CheckpointHook')),
        experiment_name=f'loader_{next(COUNT)}',
        log_level='ERROR',
        **kwargs,
    )


# Routes -------------------------------------------------------------------------------


def _runner_load(path, folder):
    _runner(folder, 1, load_from=path).train()


def _runner_resume(path, folder):
    _runner(folder, 1, load_from=path, resume=True).train()


def _pretrained(path, folder):
    Net(init_cfg=dict(type='Pretrained', checkpoint=path)).init_weights()


def _pretrained_prefix(path, folder):
    init_cfg = dict(type='Pretrained', checkpoint=path, prefix='fc')
    BaseModule(init_cfg=init_cfg).init_weights()


def _function(path, folder):
    load_checkpoint(Net(), path)


ROUTES = (_runner_load, _runner_resume, _pretrained, _pretrained_prefix, _function)


@pytest.mark.parametrize('route', ROUTES)
def test_no_route_unpickles(route, tmp_path, monkeypatch):
    monkeypatch.setattr(Runner, '_log_env', lambda *args: None)  # it calls compilers
    monkeypatch.setenv(UNSAFE, '1')  # what torch.load does where a call does not say
    made, path = tmp_path / 'made', tmp_path / 'a.pth'
    torch.save(dict(state_dict=WEIGHTS, meta=Payload(made)), path)
    with pytest.raises(ValueError, match=r'a\.pth.*posix\.mkdir'):
        route(str(path), tmp_path / 'work')
    assert not made.exists()


@pytest.mark.parametrize('route', ROUTES)
def test_no_route_loads_damaged_weights(route, tmp_path, monkeypatch):
    monkeypatch.setattr(Runner, '_log_env', lambda *args: None)
    path = tmp_path / 'a.pth'
    torch.save(dict(state_dict=WEIGHTS, meta={}), path)
    content = path.read_bytes()
    one = WEIGHTS['fc.weight'].numpy().tobytes()
    path.write_bytes(content.replace(one, one[:-1] + b'\x3e'))
    with pytest.raises(ValueError, match=r'a\.pth.*damaged: .*CRC-32'):
        route(str(path), tmp_path / 'work')


@pytest.mark.parametrize('route', ROUTES)
def test_no_route_takes_a_url_without_its_sha256(route, tmp_path, monkeypatch):
    monkeypatch.setattr(Runner, '_log_env', lambda *args: None)
    with pytest.raises(ValueError, match=r'names no SHA-256'):
        route('https://localhost/a.pth', tmp_path / 'work')


@pytest.mark.parametrize('prefix', ['open-mmlab', 'openmmlab'])
def test_a_name_of_the_users_own_zoo(prefix, tmp_path, monkeypatch):
    monkeypatch.setenv(UNSAFE, '1')
    monkeypatch.setenv('MMENGINE_HOME', str(tmp_path))
    names = dict(mine='mine.pth', theirs='http://localhost/a.pth')
    (tmp_path / 'open_mmlab.json').write_text(json.dumps(names))
    torch.save(dict(state_dict=WEIGHTS), tmp_path / 'mine.pth')
    net = Net()
    load_checkpoint(net, f'{prefix}://mine')
    assert torch.equal(net.fc.weight, WEIGHTS['fc.weight'])
    torch.save(dict(state_dict=WEIGHTS, a=Payload(tmp_path / 'made')), tmp_path / 'mine.pth')
    with pytest.raises(ValueError, match=r'posix\.mkdir'):
        load_checkpoint(net, f'{prefix}://mine')
    with pytest.raises(ValueError, match='SHA-256'):
        load_checkpoint(net, f'{prefix}://theirs')


@pytest.mark.parametrize('name', ['torchvision://resnet18', 'mmcls://vgg11'])
def test_the_names_of_a_zoo_are_urls_with_digits(name, tmp_path, monkeypatch):
    urls = []
    torch.save(dict(state_dict={'backbone.a': torch.ones(1)}), tmp_path / 'a.pth')

    def found(url):
        urls.append(url)
        return str(tmp_path / 'a.pth')

    monkeypatch.setattr(loader, 'download', found)
    CheckpointLoader.load_checkpoint(name)
    assert len(urls) == 1 and urls[0].startswith('https://')


def test_an_object_store(tmp_path, monkeypatch):
    torch.save(dict(a=Payload(tmp_path / 'made')), tmp_path / 'a.pth')

    class Bucket:
        def get_local_path(self, name):
            return nullcontext(tmp_path / name.removeprefix('s3://bucket/'))

    monkeypatch.setattr(loader, 'get_file_backend', lambda *args, **kwargs: Bucket())
    with pytest.raises(ValueError, match=r'posix\.mkdir'):
        CheckpointLoader.load_checkpoint('s3://bucket/a.pth')


def test_no_other_scheme_is_left():
    ours = {
        'load_from_local',
        'load_from_http',
        'load_from_ceph',
        'load_from_openmmlab',
        'load_from_torchvision',
        'load_from_mmcls',
    }
    assert {found.__name__ for found in CheckpointLoader._schemes.values()} == ours


# What loading keeps and what it leaves out --------------------------------------------


def test_tensors_go_where_map_location_says(tmp_path):
    torch.save(dict(state_dict=WEIGHTS), tmp_path / 'a.pth')
    for where, wanted in ((None, 'cpu'), ('cpu', 'cpu'), ('meta', 'meta')):
        found = CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'), where)
        assert found['state_dict']['fc.weight'].device.type == wanted


def test_a_resume_does_not_execute_the_config_in_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(Runner, '_log_env', lambda *args: None)
    _runner(tmp_path, 1).train()
    path, made = tmp_path / 'epoch_1.pth', tmp_path / 'made'
    content = torch.load(path, weights_only=True)
    content['meta']['config'] = f'import os\nos.mkdir({str(made)!r})\n'
    torch.save(content, path)
    runner = _runner(tmp_path, 2, load_from=str(path), resume=True)
    runner.train()
    assert runner.epoch == 2
    assert not made.exists()


def test_an_inferencer_does_not_execute_the_config_in_the_file(tmp_path):
    made = tmp_path / 'made'
    text = f'import os\nos.mkdir({str(made)!r})\nmodel = dict()\n'
    hub = dict(runtime_info=dict(cfg=text))
    torch.save(
        dict(state_dict=WEIGHTS, meta=dict(cfg=text), message_hub=hub), tmp_path / 'a.pth'
    )
    with pytest.raises(ValueError, match='Cannot find the config'):
        BaseInferencer._init_model(None, ConfigDict(), str(tmp_path / 'a.pth'))
    assert not made.exists()
