"""SEPHook on two CPU processes: switched on next to the EMA, the same training to the bit."""

import json

import mmvitkd  # noqa: F401

import torch
from image_folders import write_folder

CONFIG = """
_base_ = '{root}/configs/mnist5k/vit_32_feature_kd.py'
model = dict(
    teacher_ckpt=None,
    allow_random_teacher=True,
    pair_projector=dict(in_channels=32, out_channels=64),
)
train_dataloader = dict(batch_size=4, dataset=dict(data_root='{data}'))
val_dataloader = dict(batch_size=4, dataset=dict(data_root='{data}'))
train_cfg = dict(max_epochs=2, val_interval=1)
param_scheduler = []
default_hooks = dict(logger=dict(interval=1))
custom_hooks = [dict(type='mmvitkd.StudentEMAHook')]
"""


def test_two_processes_train_the_same_to_the_bit(run_distributed, tmp_path, request):
    data = write_folder(tmp_path / 'data', 10, 2, 1, (28, 28, 3), 'png')
    config = tmp_path / 'config.py'
    config.write_text(CONFIG.format(root=request.config.rootpath, data=data))
    switch = ['type=mmvitkd.SEPHook', 'interval=1', 'num_images=8', 'batch_size=4']
    checkpoints, logs = [], []
    for name, options in (('with', switch), ('without', [])):
        options = [f'default_hooks.sep.{option}' for option in options]
        folder = tmp_path / name
        arguments = ['--cfg-options', *options] if options else []
        logs.append(
            run_distributed('dist_train.sh', config, 2, '--work-dir', folder, *arguments)
        )
        checkpoints.append(torch.load(folder / 'epoch_2.pth', weights_only=True))

    first, second = (checkpoint['message_hub']['log_scalars'] for checkpoint in checkpoints)
    curves = [key for key in second if key.startswith('train/') and 'loss' in key]
    assert 'train/distill.loss_pair_0' in curves
    for key in curves:
        ours, theirs = (found[key]['log_history'] for found in (first, second))
        assert len(theirs) == 4 and torch.equal(ours, theirs)
    for key in ('state_dict', 'ema_state_dict'):
        ours, theirs = (checkpoint[key] for checkpoint in checkpoints)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert logs[0].count('sep/pair_0/full_b90: ') == 2 and 'sep/' not in logs[1]
    [log] = (tmp_path / 'with').glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line['step'] for line in lines if 'sep/pair_0/cka' in line] == [1, 2]
    images = (tmp_path / 'with').glob('*/vis_data/vis_image/*')
    assert sorted(path.name for path in images) == ['sep_1.png', 'sep_2.png']
