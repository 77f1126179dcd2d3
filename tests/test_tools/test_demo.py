"""tools/demo.py: what it reads from a run and what it writes; `make demo` runs it whole."""

import json

import mmvitkd  # noqa: F401
from mmvitkd.experiments.plot_runs import RunSummary

import pytest
import torch
from tool_modules import load_tool


@pytest.fixture
def demo(monkeypatch, tmp_path):
    module = load_tool('demo')
    monkeypatch.setattr(module, 'OUT', tmp_path)
    return module


def test_the_students_have_one_shape_one_seed_and_one_schedule(demo):
    configs = [demo.config_of(name) for name in demo.NAMES if name != demo.TEACHER]
    assert len(configs) == 4
    for key in (
        'optim_wrapper',
        'param_scheduler',
        'train_cfg',
        'randomness',
        'train_dataloader',
    ):
        assert all(config[key] == configs[0][key] for config in configs)


def test_curves_are_the_mean_of_each_epoch(demo, tmp_path):
    history = torch.tensor([1.0, 3.0, 5.0, 7.0])
    scalars = {'train/student.loss': {'log_history': history}}
    path = tmp_path / 'epoch_2.pth'
    torch.save(dict(message_hub=dict(log_scalars=scalars), meta=dict(epoch=2)), path)
    assert list(demo.loss_curves(path).values()) == [[2.0, 6.0]]


def test_a_report_is_a_table_two_figures_and_the_numbers(demo, tmp_path, capsys):
    curves = {title: [2.0, 1.0] for title in demo.LOSSES}
    runs = [
        RunSummary(name, 90.0 - i, curves, 1000 * i + 1, 5_000_000, 60.0, i)
        for i, name in enumerate(demo.NAMES.values())
    ]
    demo.report(runs)
    files = {p.name for p in tmp_path.iterdir()}
    assert files == {'table.md', 'results.json', 'accuracy.png', 'losses.png'}
    table = (tmp_path / 'table.md').read_text()
    assert '| (d) WideLast | 4,001 | 5.00 M | 86.0 | 60 s |' in table
    assert 'One seed, 1,000 test images' in table and '1.0 points above (a)' in table
    teacher, *_ = json.loads((tmp_path / 'results.json').read_text())
    assert teacher['top1'] == 90.0


def test_a_run_that_fails_shows_its_last_lines(demo, tmp_path):
    script = tmp_path / 'fails.py'
    script.write_text('print("first"); raise SystemExit("the reason")')
    with pytest.raises(SystemExit, match=r'(?s)the reason.*make demo: student failed.*\.log'):
        demo.run([script], 'student')


def test_nothing_goes_on_after_the_end(demo, tmp_path):
    script = tmp_path / 'sleeps.py'
    script.write_text('import time; time.sleep(60)')
    process = demo.start([script], 'student')
    assert process.poll() is None
    demo.scripts().stop()
    assert process.poll() is not None
