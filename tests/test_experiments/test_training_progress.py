"""The progress of a training is read from its log."""

import mmvitkd  # noqa: F401
from mmvitkd.experiments.training_progress import last_epoch


def test_the_last_epoch_of_a_log(tmp_path):
    log = tmp_path / 'run.log'
    log.write_text('Epoch(train)  [9][31/31] loss: 1\nEpoch(train) [10][31/31] loss: 1\n')
    assert last_epoch(log) == 10
    log.write_text('starting')
    assert last_epoch(log) == 0
