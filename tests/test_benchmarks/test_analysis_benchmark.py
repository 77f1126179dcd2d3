"""The benchmark of the measures: both sides compute the same, and it prints its tables."""

import importlib.util
import json
import sys

import mmvitkd  # noqa: F401

import numpy as np
import pytest
import torch


@pytest.fixture
def benchmark(request):
    path = request.config.rootpath / 'benchmarks' / 'analysis.py'
    spec = importlib.util.spec_from_file_location('analysis_benchmark', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_both_sides_find_the_same(benchmark):
    features = torch.randn(3, 16, 24)
    array = features.double().numpy()
    dimensions = np.mean(benchmark.naive_svd(array), axis=0)
    svd = benchmark.our_svd(features)
    assert [svd[t]['mean'] for t in ('0.80', '0.90', '0.95', '0.99')] == list(dimensions)
    assert benchmark.our_sep(features)['curve'] == pytest.approx(benchmark.naive_sep(array))
    entropy = benchmark.our_entropy(features)['mean']
    assert entropy == pytest.approx(benchmark.naive_entropy(array))


def test_it_prints_and_writes(benchmark, tmp_path, monkeypatch, capsys):
    sizes = ['--images', '2', '--tokens', '9', '--embed-dims', '12', '--rounds', '1']
    written = tmp_path / 'times.json'
    arguments = [*sizes, '--no-model', '--json', str(written)]
    monkeypatch.setattr(sys, 'argv', ['analysis.py', *arguments])
    benchmark.main()
    printed = capsys.readouterr().out
    assert all(f'| {name} |' in printed for name in ('SVD', 'SEP', 'entropy', 'sum'))
    content = json.loads(written.read_text())
    assert len(content['seconds']) == 1 and content['versions']['torch']
