"""Tables of docs/forced.md: projectors that are forced into directions or a SEP."""

from mmvitkd.utils.tables import markdown_table

import numpy as np

from .cells import mean_text, read, score_cells, scores_of

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


def forced_scores_table() -> str:
    """Return the accuracies of forced projectors, and their differences to a free one."""
    results = read('forced/results.json')
    rows = []
    for name in results['runs']:
        values = scores_of(results, name)
        if not values:
            continue
        r2 = [
            results['trainings'][f'{name}, seed {seed}']['metrics']['feature/val_r2']
            for seed in values
        ]
        cells = score_cells(results, name)
        rows.append([FORCED[name], *cells, '' if name == POOLED else f'{np.mean(r2):.3f}'])
    header = ['student', 'top-1 % of each seed', 'mean, 95 %', 'minus the free projector, 95 %']
    return markdown_table([*header, 'R2 of the target'], rows)


def forced_match_table() -> str:
    """Return how far each student was forced, means over seeds."""
    rows = []
    for name, seeds in read('forced/match.json')['runs'].items():
        if name == POOLED:
            continue
        runs = list(seeds.values())
        floor = mean_text(runs, 'rotation_floor', 4) if 'rotation_floor' in runs[0] else ''
        rotation, distance = mean_text(runs, 'rotation', 3), mean_text(runs, 'sep_distance', 5)
        rows.append([FORCED[name], str(len(runs)), rotation, floor, distance])
    return markdown_table(['student', 'seeds', 'rotation', 'its floor', 'SEP distance'], rows)


def forced_analyses_table() -> str:
    """Return the analyses of each student's tokens and of the teacher's, means over seeds."""
    rows = []
    found = read('forced/match.json')['runs']
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
    return [f'{runs[0]["width"]}', *(mean_text(runs, key, n) for key, n in digits.items())]
