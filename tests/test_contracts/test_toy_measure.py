"""A measure in one class: it appears in a report, in a comparison and in a training."""

import csv
import json
import runpy
import sys
from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.analysis.measures import Measure, ReportFigure, Table
from mmvitkd.registry import MEASURES

import pytest
from folders import write_noise
from matplotlib.figure import Figure
from mmengine.runner import Runner
from PIL import Image
from toy_distillation import distillation, noise

TOOLS = Path(__file__).parents[2] / 'tools/analysis_tools'
NAMES = [f'{folder}/{i}.png' for folder in 'ab' for i in range(4)]
SIGNS = Table('signs', ('positive', 'values'))


def draw(blocks):
    """A bar for each block that has the measure."""
    shares = {
        key: block['positive']['share'] for key, block in blocks.items() if 'positive' in block
    }
    if not shares:
        return None
    figure = Figure()
    figure.add_subplot().bar(list(shares), list(shares.values()))
    return figure


class PositiveMeasure(Measure):
    """The share of values above 0."""

    name = 'positive'
    meaning = 'share of values above 0'
    entries = ('positive',)
    columns = {'positive': lambda block: block['positive']['share']}
    tables = {SIGNS: lambda block: [(block['positive']['share'], block['positive']['values'])]}
    figures = (ReportFigure('signs', 'Signs', 'About a half is usual.', draw, draw),)
    required = {'positive': ('share',)}
    scalars = {'positive': lambda block: block['positive']['share']}

    def __init__(self, block):
        super().__init__(block)
        self._positive = self._values = 0

    def update(self, batch):
        self._positive += int((batch.tokens > 0).sum())
        self._values += batch.tokens.numel()

    def result(self):
        share = self._positive / self._values
        return {'positive': {'share': share, 'values': self._values}}


@pytest.fixture(autouse=True)
def registered():
    MEASURES.import_from_location()
    MEASURES.register_module(module=PositiveMeasure)
    yield
    MEASURES.module_dict.pop('PositiveMeasure')


@pytest.fixture
def run_tool(monkeypatch):
    """Run a tool in this process, which knows the measure."""

    def run(name, *arguments):
        monkeypatch.syspath_prepend(str(TOOLS))
        monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
        runpy.run_path(str(TOOLS / f'{name}.py'), run_name='__main__')

    return run


def test_it_appears_in_a_report_and_in_a_comparison(run_tool, tmp_path):
    images = write_noise(tmp_path / 'images', *NAMES, size=(48, 40, 3))
    for seed in (1, 2):
        run_tool(
            'analyze_representation',
            'timm:test_vit',
            *('--allow-random', '--seed', seed, '--data-root', images, '--workers', 0),
            *(
                '--device',
                'cpu',
                '--measures',
                'positive',
                'svd',
                '--out',
                tmp_path / str(seed),
            ),
        )
    run_tool(
        'compare_representations', tmp_path / '1', tmp_path / '2', '--out', tmp_path / 'both'
    )

    report = json.loads((tmp_path / '1/report.json').read_text())
    [block] = report['blocks'].values()
    share = block['positive']['share']
    assert 0.3 < share < 0.7
    assert block['positive']['values'] == 8 * block['num_tokens'] * block['embed_dims']
    with open(tmp_path / '1/tables/signs.csv', newline='') as file:
        [row] = csv.DictReader(file)
    assert float(row['positive']) == share
    text = (tmp_path / '1/report.md').read_text()
    assert '| positive |' in text and f'{share:.4g}' in text and 'About a half' in text
    with Image.open(tmp_path / '1/figures/signs.png') as image:
        assert image.size[0] > 300

    compared = json.loads((tmp_path / 'both/report.json').read_text())['compared']
    assert compared['1']['numbers']['positive'] == share
    assert '![Signs](figures/signs.png)' in (tmp_path / 'both/report.md').read_text()
    assert (tmp_path / 'both/figures/signs.png').is_file()


def test_the_hook_follows_it_in_a_training(tmp_path):
    def loader(dataset):
        sampler = dict(type='DefaultSampler', shuffle=False)
        collate = dict(type='default_collate')
        return dict(
            batch_size=4, dataset=dataset, num_workers=0, sampler=sampler, collate_fn=collate
        )

    hook = dict(type='mmvitkd.SEPHook', interval=1, num_images=8, measures=['positive', 'cka'])
    runner = Runner(
        model=distillation(),
        work_dir=str(tmp_path),
        train_dataloader=loader(noise(8)),
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-2)),
        val_dataloader=loader(noise(12, seed=1)),
        val_cfg=dict(),
        val_evaluator=dict(type='Accuracy', topk=1),
        default_hooks=dict(sep=hook),
        default_scope='mmpretrain',
        experiment_name='toy_measure',
        visualizer=dict(
            type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')]
        ),
    )
    runner.train()
    lines = Path(runner.log_dir, 'vis_data/scalars.json').read_text().splitlines()
    found = [line for line in map(json.loads, lines) if 'sep/pair_0/positive' in line]
    assert [line['step'] for line in found] == [1, 2]
    assert all(0 < line['sep/pair_0/positive'] < 1 for line in found)
    constant = {line['sep/pair_0/teacher_positive'] for line in found}
    assert len(constant) == 1 and 0 < constant.pop() < 1
    assert (
        'sep/pair_0/positive: 0.' in Path(runner.log_dir, f'{runner.timestamp}.log').read_text()
    )
