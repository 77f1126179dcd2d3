"""The benchmarks of forced projectors: gradients of losses, and how far a run matches."""

import sys
from types import SimpleNamespace

import mmvitkd  # noqa: F401
from mmvitkd.apis.load_distillation import load_distillation
from mmvitkd.config.load_config import load_config

import forced_match
import loss_gradients
import numpy as np
import pytest
import torch
from folders import write_noise

CONFIG = """
_base_ = '{root}/configs/mnist5k/vit_32_subspace.py'
model = dict(teacher_ckpt=None, allow_random_teacher=True)
train_dataloader = dict(dataset=dict(data_root='{data}'))
"""


@pytest.fixture
def config(tmp_path, request):
    data, splits = tmp_path / 'digits', ('train', 'val')
    names = [f'{split}/{label}/0.png' for label in range(10) for split in splits]
    write_noise(data, *names, size=(28, 28, 3))
    path = tmp_path / 'forced.py'
    path.write_text(CONFIG.format(root=request.config.rootpath, data=data))
    return path


def test_each_loss_has_its_gradient_without_weights(config, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['loss_gradients.py', str(config), '--d', '10'])
    loss_gradients.main()
    rows = [line.split('|') for line in capsys.readouterr().out.splitlines() if '| ' in line]
    found = {row[1].strip(): row[3].strip() for row in rows}
    names = ['labels', 'pair_0', 'SubspaceLoss', 'SEPLoss', 'pair_0_subspace']
    assert list(found)[-5:] == names
    assert found['SubspaceLoss'] == found['pair_0_subspace']


@pytest.fixture
def run(config, tmp_path):
    """What a finished run with another teacher looks like to the benchmark."""
    model = load_distillation(load_config(str(config)), None, allow_random=True).model
    checkpoint = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=model.state_dict(), meta={}), checkpoint)
    entry = SimpleNamespace(config=config)
    return SimpleNamespace(folder=tmp_path, entry=entry, checkpoint=checkpoint, needs={})


def test_a_run_is_compared_with_its_teacher_and_its_floor(run):
    torch.manual_seed(0)  # the teacher is random
    found = forced_match.measure(run, 4)
    assert found['rotation_floor'] < found['rotation'] < 1
    assert found['own']['width'] == 32 and found['teacher']['width'] == 64
    assert found['teacher']['random_overlap'] == 4 / 64
    tokens, rank = forced_match.features_of(run)
    assert rank == 33 and len(tokens['own']) == 10
    assert tokens['own'].shape[1:] == (16, 32)
    assert np.linalg.matrix_rank(tokens['student'].flatten(0, 1).numpy(), tol=1e-3) <= 33
