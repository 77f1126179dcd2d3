"""Compare a config with the run of a checkpoint."""

import mmvitkd  # noqa: F401
from mmvitkd.export.run_match import is_of_another_run

import pytest
from toy_students import training


def noted(text):
    return dict(meta=dict(cfg=text))


@pytest.mark.parametrize('kind', ['plain', 'lift', 'swin_widelast', 'timm'])
def test_a_run_of_the_same_model(kind):
    cfg = training(kind)
    text = cfg.pretty_text
    cfg.train_cfg.max_epochs = 300
    assert not is_of_another_run(cfg, noted(text))
    assert not is_of_another_run(cfg, noted(text.replace(', ', ',  ')))


@pytest.mark.parametrize(
    'change',
    [
        {'model.teacher_ckpt': 'checkpoints/another.pth'},
        {'model.pair_loss.loss_weight': 0.3},
        {'model.architecture.head.num_classes': 6},
    ],
)
def test_a_run_with_other_options(change):
    cfg = training('lift')
    text = cfg.pretty_text
    cfg.merge_from_dict(change)
    assert is_of_another_run(cfg, noted(text))


@pytest.mark.parametrize(
    'checkpoint',
    [
        {},
        dict(meta={}),
        dict(meta=dict(cfg=dict(model='a mapping'))),
        noted('model = dict('),
        noted('\0'),
        noted('model = ' + '-' * 100_000 + '1'),
        noted('max_epochs = 3'),
    ],
)
def test_an_unreadable_config_never_differs(checkpoint):
    assert not is_of_another_run(training('lift'), checkpoint)


def test_the_text_is_never_executed(tmp_path):
    file = tmp_path / 'executed'
    text = f'open({str(file)!r}, "w")\nmodel = open({str(file)!r}, "w")\n'
    assert is_of_another_run(training('lift'), noted(text))
    assert not file.exists()
