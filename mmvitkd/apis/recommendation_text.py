"""Format recommend.md: the decision, its config, and the numbers that it is made from."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..analysis.report.report_text import unreadable_note
from ..models.connectors.target_tokens_connector import KINDS
from ..utils.markdown import code_span, escape
from ..utils.tables import markdown_table

HOW_TO_READ = (
    'Floor: the least squared error of any student of that width behind a linear map with a '
    "bias, or behind Lift, in % of the target's energy; first on these images (a bound), then "
    'on half of them in the directions of the other half (an expectation). Behind a LayerNorm '
    'and a projector it is that of one channel less. WideLast is not bound by it. Pooled: what '
    'average pooling to that width discards of the raw target. Shares: of the mean token in '
    'the energy, and of the largest hundredth of the channels in the variance. Norm: the mean '
    'norm of a token, and that behind a LayerNorm that is not trained yet.'
)


def recommendation_text(report: Mapping[str, Any]) -> str:
    """Return a recommendation in Markdown.

    Args:
        report: The content of ``report.json``.
    """
    teacher, images, student = report['teacher'], report['images'], report['student']
    sections = [
        f'# How to distil {escape(teacher["provenance"])}',
        f'Into {code_span(student["name"])}, {student["width"]} wide, with '
        f'{images["num_images"]:,} images of {code_span(images["folder"])}, '
        f'{_labels(images["num_classes"])}. The teacher has {teacher["depth"]} blocks, '
        f'{teacher["width"]} wide, and {teacher["num_tokens"]} tokens.',
        *_warnings(report),
        decision_table(report['decisions']),
        f'```python\n{report["config"]}```',
        '## What it costs',
        _cost_table(report['costs']),
        'For one image; see `get_cost.py`. Added: to a training step of the student, by the '
        'teacher and the losses.',
    ]
    if report['trained']:
        sections += ['## The trained student', *_trained(report['trained'])]
    sections += [
        f'## The layers of the teacher, at the width {student["width"]}',
        _layer_table(report['layers'], student['width']),
        HOW_TO_READ,
        '## Over the width',
        '![Floors](figures/floors.png)',
        *(
            part
            for name in last_layers(report['layers'])
            for part in (f'{_label(name)}:', _width_table(report['layers'][name]))
        ),
        '## Layers by SpectralKD',
        f'`pairs={report["spectral"]}`: the blocks at both ends with the largest frequency '
        'intensity (arXiv 2412.19055), student and teacher from 0.',
    ]
    return '\n\n'.join(sections) + '\n'


def decision_table(decisions: Sequence[Mapping[str, str]]) -> str:
    """Return the decisions with their reasons, and what supports them."""
    header = ['', 'recommended', 'why', 'supported by']
    rows = [
        [d['part'], f'**{d["value"]}**', escape(d['reason']), d['supported_by']]
        for d in decisions
    ]
    return markdown_table(header, rows, text_columns=4)


def _labels(num_classes: int | None) -> str:
    return 'without labels' if num_classes is None else f'of {num_classes} classes'


def _warnings(report: Mapping[str, Any]) -> list[str]:
    found = []
    if report['teacher']['random_weights']:
        found.append(
            "**The teacher's weights are random**: nothing here is about its training."
        )
    return [*found, *unreadable_note(report['images']['unreadable'])]


def _cost_table(costs: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [
        [
            name,
            f'{cost["parameters"]:,}',
            f'{cost["macs"] / 1e6:,.1f}',
            '?' if cost['added_share'] is None else f'+{cost["added_share"]:.0%}',
        ]
        for name, cost in costs.items()
    ]
    return markdown_table(['student', 'parameters', 'MACs (M)', 'added'], rows)


def _trained(trained: Mapping[str, Any]) -> list[str]:
    rows = [
        [
            escape(name),
            *(percent(layer[key]) for key in ('rel_error', 'floor', 'mean_token')),
            f'{layer["r2"]:.3f}',
            'bound by the floor' if layer['is_bound'] else 'not bound: wider last blocks',
        ]
        for name, layer in trained['layers'].items()
    ]
    header = ['layer', 'error, %', 'floor, %', 'error of the mean token, %', 'R2', '']
    return [
        f'{code_span(trained["checkpoint"])} on {trained["num_images"]:,} held-out images; all '
        'in % of the energy of what its losses compare, on the same images. An embedding has '
        'no floor: `evaluate_features.py` measures it.',
        *unreadable_note(trained['unreadable']),
        markdown_table(header, rows),
    ]


def trained_lines(trained: Mapping[str, Any]) -> list[str]:
    """Return a line about each layer of a trained student.

    Args:
        trained: What ``report.json`` has by this name.
    """
    lines = []
    for name, layer in trained['layers'].items():
        error, floor, mean = (percent(layer[k]) for k in ('rel_error', 'floor', 'mean_token'))
        worse = ': worse than a constant' if layer['r2'] < 0 else ''
        lines.append(
            f'trained, {name}: error {error} %, floor {floor} %, mean token {mean} %, R2 '
            f'{layer["r2"]:.3f}{worse}'
        )
    return lines


def _layer_table(layers: Mapping[str, Any], width: int) -> str:
    header = ['layer', *(f'{target}, %' for target in KINDS), 'pooled, %']
    header += ['share of the mean token, %', 'of the largest, %', 'norm']
    rows = []
    for name, layer in layers.items():
        norm = layer['token_norm']
        rows.append(
            [
                _label(name),
                *(_floors(layer[target], width) for target in KINDS),
                percent(layer['raw']['pooled'][str(width)]),
                percent(layer['mean_share']),
                percent(layer['largest']['variance']),
                f'{norm["mean"]:.1f} / {norm["layer_norm"]:.1f}',
            ]
        )
    return markdown_table(header, rows)


def _width_table(layer: Mapping[str, Any]) -> str:
    header = ['width', *(f'{target}, %' for target in KINDS), 'pooled, %']
    rows = [
        [width, *(_floors(layer[target], int(width)) for target in KINDS), percent(pooled)]
        for width, pooled in layer['raw']['pooled'].items()
    ]
    return markdown_table(header, rows)


def last_layers(layers: Mapping[str, Any]) -> list[str]:
    """Return the last block, and the final norm if there is one."""
    blocks = [name for name in layers if name.isdigit()]
    return [*blocks[-1:], *(name for name in layers if not name.isdigit())]


def _label(name: str) -> str:
    return f'block {name}' if name.isdigit() else f'after the {name}'


def _floors(floors: Mapping[str, Any], width: int) -> str:
    return f'{percent(floors["in_sample"][width])} / {percent(floors["held_out"][width])}'


def percent(share: float) -> str:
    """Return a share in percent with three significant digits."""
    return f'{100 * share:.3g}'
