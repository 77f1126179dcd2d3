"""Write the tables of the documents that report recorded runs.

`python docs/update_tables.py` rewrites the text between the markers `<!-- table: NAME -->` and
`<!-- end -->`; with `--check` it changes nothing, and fails if a table is out of date.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mmvitkd  # noqa: F401  (first: it patches the packages below)
from mmvitkd.analysis.measures.published import PUBLISHED
from mmvitkd.config.student_config import student_config
from mmvitkd.experiments.feature_scores import token_scores
from mmvitkd.experiments.statistics import Summary, paired_difference, summarize
from mmvitkd.utils.tables import markdown_table

import numpy as np
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS

DOCS = Path(__file__).resolve().parent
# Names of the runs of controls/results.json in the document.
STUDENTS = {
    'vit_32': 'plain, labels only',
    'vit_32_lift_labels_only': 'Lift, labels only',
    'vit_32_widelast_labels_only': 'WideLast, labels only',
    'vit_32_feature_kd': 'plain',
    'vit_32_lift': 'Lift',
    'vit_32_widelast': 'WideLast',
    'vit_32_gap': "Lift's pooling, no width",
    'vit_32_lift_cls': "Lift's width, no pooling",
    'vit_32_lift_noln': 'Lift without LayerNorm',
    'vit_32_projector': "Lift's projection, discarded",
    'vit_36_feature_kd': 'all blocks 36 wide',
    'vit_40_feature_kd': 'all blocks 40 wide',
    'vit_32_deeper': 'one more block',
    'vit_32_d9': 'three more blocks',
    'vit_32_mlp230': 'MLPs 230 wide',
}
# Names of the runs of targets/results.json: a remedy, then what differs from the raw target.
REMEDIES = {
    'vit_32_feature_kd': 'plain',
    'vit_32_projector': 'projector',
    'vit_32_lift': 'Lift',
    'vit_32_widelast': 'WideLast',
}
TARGETS = {
    '': 'raw',
    '_start': 'raw, `norm_from_target`',
    '_centred': 'centred',
    '_standardised': 'standardised',
    '_final_norm': 'final norm',
    '_final_norm_start': 'final norm, `norm_from_target`',
}
# The same of foundation_models/label_free.json: a remedy, then the loss.
ENCODERS = {'projector': 'projector', 'lift': 'Lift', 'widelast': 'WideLast'}
LOSSES = {
    '_mse': 'MSE',
    '_mse_standardised': 'MSE, standardised',
    '_cosine': 'cosine and smooth L1',
}
# Names of the runs of forced/results.json. One compares pooled channels: it has another target.
POOLED = 'plain'
FORCED = {
    'linear': 'linear projector',
    'subspace': '... forced into the directions',
    'sep': '... forced to the SEP',
    'subspace_sep': '... forced to both',
    POOLED: 'plain, pooled',
    'projector': "Lift's projection, discarded",
    'lift': 'Lift',
    'widelast': 'WideLast',
}
# Names of the runs of performance/growth.json.
GROWTH = {
    'b2': 'batch 2',
    'b8': 'batch 8',
    'b32': 'batch 32',
    'px112': '112 px, batch 8',
    'px448': '448 px, batch 2',
    'layers': '8 pairs of layers, batch 8',
    'deit_small': 'DeiT-Small, batch 8',
}


def controls_table() -> str:
    """Return a row per run: every score, mean, deviation, and difference to the reference."""
    results = _read('controls/results.json')
    scores = {
        name: {int(seed): score for seed, score in run['scores'].items()}
        for name, run in results['runs'].items()
    }
    rows = []
    for name, values in scores.items():
        summary = summarize(list(values.values()))
        difference = paired_difference(values, scores[results['reference']])
        is_reference = name == results['reference'] or difference is None
        rows.append(
            [
                STUDENTS[name],
                f'`{name}`',
                f'{_num_parameters(name):,}',
                ' '.join(f'{score:.1f}' for score in values.values()),
                interval_text(summary, '.2f'),
                f'{summary.deviation:.2f}',
                '' if is_reference else interval_text(difference, '+.2f'),
            ]
        )
    header = ['student', 'config', 'parameters', 'top-1 % of seeds 0 to 4', 'mean, 95 %']
    return markdown_table([*header, 's.d.', 'minus plain, 95 %'], rows, text_columns=2)


def cached_students_table() -> str:
    """Return the scores of students with a cache, and their differences to the live ones."""
    runs = _read('teacher_cache/results.json')['runs']
    scores = {
        name: {int(seed): score for seed, score in run['scores'].items()}
        for name, run in runs.items()
    }
    rows = []
    for name in ('vit_32', 'vit_32_feature_kd', 'vit_32_lift', 'vit_32_widelast'):
        row = [STUDENTS[name]]
        for suffix in ('', '_20_views', '_5_views'):
            found = scores.get(name + suffix)
            row.append(' '.join(f'{score:.1f}' for score in found.values()) if found else '')
            if suffix:
                difference = paired_difference(found, scores[name]) if found else None
                row.append(interval_text(difference, '+.2f') if difference else '')
        rows.append(row)
    header = ['student', 'live', '20 views', 'minus live', '5 views', 'minus live']
    return markdown_table(header, rows)


def targets_table() -> str:
    """Return the features and the accuracy of each remedy with each target."""
    names = _combined(REMEDIES, TARGETS)
    return _features_table('targets/results.json', names, 'target', 'top-1 %')


def label_free_table() -> str:
    """Return the features of each remedy with each loss, without labels."""
    names = _combined(ENCODERS, LOSSES)
    return _features_table('foundation_models/label_free.json', names, 'loss')


def forced_scores_table() -> str:
    """Return the accuracies of forced projectors, and their differences to a free one."""
    results = _read('forced/results.json')
    reference = _scores(results, results['reference'])
    rows = []
    for name in results['runs']:
        values = _scores(results, name)
        if not values:
            continue
        r2 = [
            results['trainings'][f'{name}, seed {seed}']['metrics']['feature/val_r2']
            for seed in values
        ]
        difference = paired_difference(values, reference)
        is_reference = name == results['reference'] or difference is None
        rows.append(
            [
                FORCED[name],
                ' '.join(f'{score:.1f}' for score in values.values()),
                interval_text(summarize(list(values.values())), '.2f'),
                '' if is_reference else interval_text(difference, '+.2f'),
                '' if name == POOLED else f'{np.mean(r2):.3f}',
            ]
        )
    header = ['student', 'top-1 % of each seed', 'mean, 95 %', 'minus the free projector, 95 %']
    return markdown_table([*header, 'R2 of the target'], rows)


def _scores(results: Mapping[str, Any], name: str) -> dict[int, float]:
    """Return the scores of a run by seed."""
    return {int(seed): score for seed, score in results['runs'][name]['scores'].items()}


def forced_match_table() -> str:
    """Return how far each student was forced, means over seeds."""
    rows = []
    for name, seeds in _read('forced/match.json')['runs'].items():
        if name == POOLED:
            continue
        runs = list(seeds.values())
        floor = _mean(runs, 'rotation_floor', 4) if 'rotation_floor' in runs[0] else ''
        rotation, distance = _mean(runs, 'rotation', 3), _mean(runs, 'sep_distance', 5)
        rows.append([FORCED[name], str(len(runs)), rotation, floor, distance])
    return markdown_table(['student', 'seeds', 'rotation', 'its floor', 'SEP distance'], rows)


def forced_analyses_table() -> str:
    """Return the analyses of each student's tokens and of the teacher's, means over seeds."""
    rows = []
    found = _read('forced/match.json')['runs']
    for name, seeds in found.items():
        of_run = (
            {'own': 'its own'} if name == POOLED else {'own': 'its own', 'student': 'compared'}
        )
        for side, tokens in of_run.items():
            runs = [run[side] for run in seeds.values()]
            rows.append([FORCED[name], tokens, *_analyses(runs)])
    teachers = [
        run['teacher']
        for name, seeds in found.items()
        for run in seeds.values()
        if name != POOLED
    ]
    rows.append(['the teacher', 'its own', *_analyses(teachers[:1])])
    header = ['student', 'tokens', 'width', 'overlap of two images', 'of image and data set']
    header += ['random overlap', 'PCA 90 %', 'PCA 99 %', 'SEP b90']
    return markdown_table(header, rows, text_columns=2)


def _analyses(runs: list[dict[str, float]]) -> list[str]:
    digits = {'overlap': 3, 'to_dataset': 3, 'random_overlap': 3, 'pca_90': 1, 'pca_99': 1}
    digits |= {'sep_b90': 3}
    return [f'{runs[0]["width"]}', *(_mean(runs, key, n) for key, n in digits.items())]


def _combined(
    first: Mapping[str, str], second: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Return what two parts of a name mean, by the name."""
    return {a + b: (x, y) for a, x in first.items() for b, y in second.items()}


def _features_table(
    file: str, names: Mapping[str, tuple[str, str]], second: str, metric: str | None = None
) -> str:
    """Return a row per run: means over seeds of its patch tokens, k-NN, probe and metric."""
    rows = []
    for name, run in _read(file)['runs'].items():
        scores = [token_scores(found) for found in run['features'].values()]
        shares = ('rel_error', 'mean_token', 'r2', 'readout_r2')
        cells = [_mean(scores, key, 3) for key in shares]
        cells += [_mean(scores, key, 1) for key in ('knn', 'probe')]
        if metric is not None:
            cells.append(interval_text(summarize(list(run['scores'].values())), '.1f'))
        rows.append([*names[name], *cells])
    header = ['remedy', second, 'relative error', 'mean token', 'R2', 'R2 of a readout']
    header += ['k-NN %', 'probe %', *([metric] if metric else [])]
    return markdown_table(header, rows, text_columns=2)


def _mean(scores: list[dict[str, float]], key: str, digits: int) -> str:
    """Format a mean over seeds with the standard deviation, if there are several."""
    found = summarize([each[key] for each in scores])
    deviation = '' if found.deviation is None else f' ± {found.deviation:.{digits}f}'
    return f'{found.mean:.{digits}f}{deviation}'


def interval_text(summary: Summary, form: str) -> str:
    """Format a mean and half its interval."""
    half = '' if summary.half is None else f' ± {summary.half:.2f}'
    return f'{summary.mean:{form}}{half}'


def _num_parameters(name: str) -> int:
    model = Config.fromfile(DOCS.parent / 'configs' / 'mnist5k' / f'{name}.py').model
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        student = MODELS.build(student_config(model))
    return sum(parameter.numel() for parameter in student.parameters())


def step_table() -> str:
    """Return the times of a training step of each candidate."""
    return _candidates_table(_read('performance/step.json')['seconds'], 'baseline')


def first_table() -> str:
    """Return the same for distillation of the first blocks only."""
    return _candidates_table(_read('performance/first.json')['seconds'], 'alone')


def cached_table() -> str:
    """Return the times of steps with a teacher cache, and the share of reading it."""
    run = _read('performance/cached.json')
    live = _quartile(run['seconds']['ours'])
    ratios = {name: f'{_quartile(times) / live:.3f}' for name, times in run['seconds'].items()}
    shares = {
        name: f'{100 * found["share_of_step"]:.2f} %' for name, found in run['readers'].items()
    }
    more = {'ratio to `ours`': ratios, 'reading the cache': shares}
    return _candidates_table(run['seconds'], 'alone', more)


def reader_table() -> str:
    """Return how fast a teacher cache is read."""
    run = _read('performance/reader.json')
    size = int(run['settings']['batch_size'])
    rows = []
    for name, times in run['seconds'].items():
        seconds = _quartile(times)
        rate = size / seconds
        cells = [
            f'{1e6 * seconds:,.0f}',
            f'{rate:,.0f}',
            f'{run["row_bytes"] * rate / 1e6:,.0f}',
        ]
        rows.append([name, *cells])
    return markdown_table([f'a batch of {size}', 'µs', 'images/s', 'MB/s'], rows)


def _candidates_table(
    seconds: Mapping[str, list[float]],
    base: str,
    more: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """Return a row per candidate, with further columns of cells by candidate."""
    rows, more = [], more or {}
    for name, times in seconds.items():
        cells = [f'{1e3 * x:.0f}' for x in np.percentile(times, (0, 25, 50))]
        ratio = _quartile(times) / _quartile(seconds[base])
        others = (column.get(name, '') for column in more.values())
        rows.append([f'`{name}`', *cells, f'{ratio:.3f}', *others])
    header = ['', 'minimum, ms', 'first quartile', 'median', 'ratio']
    return markdown_table([*header, *more], rows)


def growth_table() -> str:
    """Return the cost of a step for several sizes and pairs."""
    runs, rows = _read('performance/growth.json'), []
    for name, what in GROWTH.items():
        run = runs[name]
        size, macs = int(run['settings']['batch_size']), run['macs']['step']
        ours, baseline = (_quartile(run['seconds'][x]) for x in ('ours', 'baseline'))
        rate = 2 * macs * size / ours / 1e12
        cells = [f'{macs / 1e9:.2f}', f'{1e3 * ours / size:.0f}', f'{rate:.3f}']
        rows.append([what, *cells, f'{ours / baseline:.3f}'])
    header = ['', 'GMACs per image', 'ms per image', 'TFLOP/s', 'ratio to the baseline']
    return markdown_table(header, rows)


def data_table() -> str:
    """Return milliseconds per image of each data pipeline, on one core and per core on two."""
    found = _read('performance/data.json')['found']
    sizes, rows = ('500x375', '1500x1125'), []
    for name in found[sizes[0]]['seconds']['one core']:
        cells = []
        for size in sizes:
            for cores, seconds in enumerate(found[size]['seconds'].values(), 1):
                own, timm = _quartile(seconds[name]), _quartile(seconds['timm'])
                cells.append(f'{1e3 * cores * own:.2f} ({timm / own:.2f} x)')
        rows.append([name, *cells])
    header = ['500 x 375, one core', 'two workers', '1,500 x 1,125, one core', 'two workers']
    return markdown_table(['ms per image and core (timm / it)', *header], rows)


def published_table() -> str:
    """Return the published dimensions of pretrained models."""
    rows = [
        [
            *(found.model, f'`{found.name}`', str(found.embed_dims)),
            *(' / '.join(map(str, numbers)) for numbers in (found.svd, found.pca, found.sep)),
        ]
        for found in PUBLISHED.values()
    ]
    header = ['model', 'in timm', 'D', 'SVD 80 / 90 / 95 / 99 %', 'PCA 80 / 90 / 95 / 99 %']
    return markdown_table([*header, 'SEP 50 / 60 / 70 / 80 / 90 %'], rows, text_columns=2)


def _quartile(seconds: list[float]) -> float:
    return float(np.percentile(seconds, 25))


def _read(name: str) -> Any:
    return json.loads((DOCS / name).read_text())


DOCUMENTS: dict[str, dict[str, Callable[[], str]]] = {
    'controls.md': {'controls': controls_table},
    'published.md': {'models': published_table},
    'targets.md': {'targets': targets_table},
    'foundation_models.md': {'losses': label_free_table},
    'forced.md': {
        'scores': forced_scores_table,
        'match': forced_match_table,
        'analyses': forced_analyses_table,
    },
    'teacher_cache.md': {'students': cached_students_table},
    'performance.md': {
        'growth': growth_table,
        'step': step_table,
        'first': first_table,
        'cached': cached_table,
        'reader': reader_table,
        'data': data_table,
    },
}


def updated(text: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """Return a document with its tables generated anew.

    Raises:
        ValueError: If the markers of a table do not occur exactly once.
    """
    for name, table in tables.items():
        pattern = rf'(<!-- table: {name} -->\n).*?(\n<!-- end -->)'
        content = table()
        text, count = re.subn(
            pattern, lambda m, new=content: f'{m[1]}\n{new}\n{m[2]}', text, flags=re.DOTALL
        )
        if count != 1:
            raise ValueError(f'<!-- table: {name} -->: found {count} times, wanted once.')
    return text


def main() -> None:
    """Rewrite or check all documents."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--check', action='store_true', help='change nothing; fail if outdated')
    args = parser.parse_args()
    outdated = []
    for name, tables in DOCUMENTS.items():
        path = DOCS / name
        text = path.read_text()
        new = updated(text, tables)
        if new != text:
            outdated.append(name)
            if not args.check:
                path.write_text(new)
    if args.check and outdated:
        sys.exit(f'{", ".join(outdated)}: outdated; run python docs/update_tables.py')


if __name__ == '__main__':
    main()
