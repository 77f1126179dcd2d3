"""Tables of docs/performance.md and of the reader of a teacher cache."""

from collections.abc import Mapping

from mmvitkd.utils.tables import markdown_table

import numpy as np

from .cells import quartile, read

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


def step_table() -> str:
    """Return the times of a training step of each candidate."""
    return _candidates_table(read('performance/step.json')['seconds'], 'baseline')


def first_table() -> str:
    """Return the same for distillation of the first blocks only."""
    return _candidates_table(read('performance/first.json')['seconds'], 'alone')


def cached_table() -> str:
    """Return the times of steps with a teacher cache, and the share of reading it."""
    run = read('performance/cached.json')
    live = quartile(run['seconds']['ours'])
    ratios = {name: f'{quartile(times) / live:.3f}' for name, times in run['seconds'].items()}
    shares = {
        name: f'{100 * found["share_of_step"]:.2f} %' for name, found in run['readers'].items()
    }
    more = {'ratio to `ours`': ratios, 'reading the cache': shares}
    return _candidates_table(run['seconds'], 'alone', more)


def reader_table() -> str:
    """Return how fast a teacher cache is read."""
    run = read('performance/reader.json')
    size = int(run['settings']['batch_size'])
    rows = []
    for name, times in run['seconds'].items():
        seconds = quartile(times)
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
        ratio = quartile(times) / quartile(seconds[base])
        others = (column.get(name, '') for column in more.values())
        rows.append([f'`{name}`', *cells, f'{ratio:.3f}', *others])
    header = ['', 'minimum, ms', 'first quartile', 'median', 'ratio']
    return markdown_table([*header, *more], rows)


def growth_table() -> str:
    """Return the cost of a step for several sizes and pairs."""
    runs, rows = read('performance/growth.json'), []
    for name, what in GROWTH.items():
        run = runs[name]
        size, macs = int(run['settings']['batch_size']), run['macs']['step']
        ours, baseline = (quartile(run['seconds'][x]) for x in ('ours', 'baseline'))
        rate = 2 * macs * size / ours / 1e12
        cells = [f'{macs / 1e9:.2f}', f'{1e3 * ours / size:.0f}', f'{rate:.3f}']
        rows.append([what, *cells, f'{ours / baseline:.3f}'])
    header = ['', 'GMACs per image', 'ms per image', 'TFLOP/s', 'ratio to the baseline']
    return markdown_table(header, rows)


def data_table() -> str:
    """Return milliseconds per image of each data pipeline, on one core and per core on two."""
    found = read('performance/data.json')['found']
    sizes, rows = ('500x375', '1500x1125'), []
    for name in found[sizes[0]]['seconds']['one core']:
        cells = []
        for size in sizes:
            for cores, seconds in enumerate(found[size]['seconds'].values(), 1):
                own, timm = quartile(seconds[name]), quartile(seconds['timm'])
                cells.append(f'{1e3 * cores * own:.2f} ({timm / own:.2f} x)')
        rows.append([name, *cells])
    header = ['500 x 375, one core', 'two workers', '1,500 x 1,125, one core', 'two workers']
    return markdown_table(['ms per image and core (timm / it)', *header], rows)
