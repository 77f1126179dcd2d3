"""Annotation files are data: what MMEngine would execute is refused before it is read."""

import os
import pickle

import mmvitkd  # noqa: F401
from mmvitkd.engine.runner.preflight import check_data

import mmengine
import pytest
from mmengine.config import Config


class Payload:
    """Unpickled, it makes a folder."""

    def __init__(self, made):
        self.made = made

    def __reduce__(self):
        return os.mkdir, (str(self.made),)


def _cfg(file, **more):
    dataset = dict(type='BaseDataset', ann_file=str(file), **more)
    return Config(dict(model=dict(), train_dataloader=dict(dataset=dataset)))


@pytest.mark.parametrize('suffix', ['pkl', 'pickle', 'yaml', 'yml'])
@pytest.mark.parametrize('wrap', [False, True])
def test_what_mmengine_would_execute(suffix, wrap, tmp_path):
    file, made = tmp_path / f'train.{suffix}', tmp_path / 'made'
    if suffix.startswith('p'):
        file.write_bytes(pickle.dumps(Payload(made)))
    else:
        file.write_text(f'!!python/object/apply:os.mkdir ["{made}"]')
    mmengine.load(file)
    made.rmdir()  # it does work
    cfg = _cfg(file)
    if wrap:
        cfg.train_dataloader.dataset = dict(dataset=cfg.train_dataloader.dataset)
    with pytest.raises(ValueError, match=rf'train_dataloader\.dataset\.ann_file=.*{suffix}'):
        check_data(cfg, ['train'])
    assert not made.exists()


@pytest.mark.parametrize('name', ['train.json', 'meta/train.txt', ''])
def test_text_and_json(name):
    check_data(_cfg(name), ['train'])
