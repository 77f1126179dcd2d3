"""Compare models side by side: a table of numbers, figures, CKA between them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ...utils.markdown import code_span, escape
from ...utils.tables import markdown_table
from ..measures.selection import all_measures
from ..measures.shared_tables import format_digits
from ..plotting.figure import ReportFigure
from ..plotting.model_overlays import draw_matrix
from ..plotting.panels import block_label
from .draw_figures import draw_figures
from .report_text import figure_section
from .summary_table import column_notes, number_table, numbers_of
from .write_report import save_both

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = {
    'tokens': "a row is a patch token, as all models have the same number. Each model's "
    'evaluation transform crops in its own way, so tokens with the same index may show '
    'different places; the null is a lower bound, as tokens of an image are similar.',
    'images': "a row is an image's mean token, as the models have different numbers of tokens.",
}

# Settings that all numbers depend on; measures list further ones.
SETTINGS = ('image_size', 'final_norm', 'amp', 'first_per_class', 'images')


class Compared(NamedTuple):
    """A model in the comparison.

    Attributes:
        report: Its report.
        key: The key of the block to compare.
        file: The path that the report was read from.
    """

    report: Mapping[str, Any]
    key: str
    file: str

    @property
    def block(self) -> Mapping[str, Any]:
        """The block's entry in the report."""
        block: Mapping[str, Any] = self.report['blocks'][self.key]
        return block


def write_comparison(
    models: Mapping[str, Compared], cka: Mapping[str, Any] | None, out: Path
) -> dict[str, Any]:
    """Write report.md and figures.

    Args:
        models: The models by label; may be empty if there is CKA.
        cka: The result of ``cka_matrix``, with 'models', descriptions by label, and
            'random_weights', the labels of models with random weights.
        out: The folder.

    Returns:
        The numbers, for JSON.
    """
    drawn = []
    for each, figure in _figures(models) if models else ():
        save_both(figure, out / 'figures', each.name)
        drawn.append(each)
    if cka is not None:
        save_both(draw_matrix(cka['labels'], cka['matrix']), out / 'figures', 'cka')
    text = _text(models, drawn, cka)
    (out / 'report.md').write_text(text, encoding='utf-8')
    return _content(models, cka)


def _figures(models: Mapping[str, Compared]) -> Iterator[tuple[ReportFigure, 'Figure']]:
    yield from draw_figures({label: m.block for label, m in models.items()}, 'overlay')
    yield from draw_figures({label: m.report for label, m in models.items()}, 'depths')


def _text(
    models: Mapping[str, Compared], drawn: Iterable[ReportFigure], cka: Mapping[str, Any] | None
) -> str:
    sections = ['# Representations compared']
    if models:
        header = ['', 'model', 'block', 'images', 'tokens']
        about = markdown_table(header, [_facts(*item) for item in models.items()], 3)
        blocks = {escape(label): model.block for label, model in models.items()}
        numbers = markdown_table(*number_table(blocks))
        sections += [about, *_differences(models), numbers, *column_notes(blocks.values())]
        sections += column_notes(blocks.values(), comparison=True)
    for figure in drawn:
        sections += figure_section(figure)
    if cka is not None:
        sections += _alignment(cka)
    return '\n\n'.join(sections) + '\n'


def _facts(label: str, model: Compared) -> list[str]:
    """Return a model's row of the first table."""
    block, report = model.block, model.report
    tokens = block.get('num_tokens', report['num_tokens'])
    return [
        escape(label),
        code_span(str(report.get('provenance', report['model']))),
        block_label(model.key).removeprefix('block '),
        str(report['num_images']),
        str(tokens),
    ]


def _differences(models: Mapping[str, Compared]) -> list[str]:
    """State what makes the numbers hard to compare."""
    different = []
    for column, what in ((3, 'images'), (4, 'tokens per image')):
        found = {_facts(label, model)[column] for label, model in models.items()}
        if len(found) > 1:
            different.append(f'numbers of {what} ({", ".join(sorted(found, key=int))})')
    folders = {model.report.get('images', {}).get('folder', '') for model in models.values()}
    if len(folders) > 1:
        different.append(f'folders of images ({", ".join(map(code_span, sorted(folders)))})')
    different += _different_settings(models)
    notes = _random_note(
        [label for label, model in models.items() if model.report.get('random_weights')]
    )
    if different:
        notes.append(
            f'**Not measured alike: the reports differ in {" and ".join(different)}.** '
            'Dimensions grow with the tokens, and 99th percentiles with the images.'
        )
    return notes


def _different_settings(models: Mapping[str, Compared]) -> list[str]:
    """List settings that differ and that numbers depend on; older reports lack some."""
    different = []
    for key in (*SETTINGS, *_measure_settings()):
        found = {}
        for label, model in models.items():
            settings = {**model.report.get('images', {}), **model.report.get('settings', {})}
            if key in settings and (key in SETTINGS or _depends(model.block, key)):
                found[label] = settings[key]
        if len(set(map(str, found.values()))) > 1:
            each = ', '.join(f'{escape(k)}: {code_span(str(v))}' for k, v in found.items())
            different.append(f'`{key}` ({each})')
    return different


def _measure_settings() -> list[str]:
    """Return the settings that measures depend on."""
    measures = all_measures().values()
    return list(dict.fromkeys(key for measure in measures for key in measure.depends_on))


def _depends(block: Mapping[str, Any], setting: str) -> bool:
    """Return whether a number of a block depends on a setting."""
    own = numbers_of(block).keys()
    return any(
        setting in measure.depends_on and own & measure.columns.keys()
        for measure in all_measures().values()
    )


def _random_note(labels: Sequence[str]) -> list[str]:
    """State which models have random weights."""
    return (
        [f'**The weights are random** of {", ".join(map(escape, labels))}.'] if labels else []
    )


def _alignment(cka: Mapping[str, Any]) -> list[str]:
    """Return the section on CKA: the matrix, its rows and its null."""
    labels = list(map(escape, cka['labels']))
    names = [
        f'{n} ({escape(block_label(key))})'
        for n, key in zip(labels, cka['blocks'], strict=True)
    ]
    tables = [
        markdown_table(
            [head, *labels],
            [[n, *map(format_digits, row)] for n, row in zip(names, cka[key], strict=True)],
        )
        for head, key in (('CKA', 'matrix'), ('null', 'null'))
    ]
    parts = [
        '## Linear CKA between the models',
        '![Linear CKA between the models](figures/cka.png)',
        markdown_table(
            ['', 'model'], [[escape(n), code_span(m)] for n, m in cka['models'].items()], 2
        ),
        *_random_note(cka['random_weights']),
        f'On {cka["num_images"]:,} images: {ROWS[cka["rows"]]}',
        *tables,
        'The null is its value for shuffled rows: with few rows relative to the channels, CKA '
        'is high for any features.',
    ]
    if cka['unreadable']:
        paths = ', '.join(map(code_span, sorted(cka['unreadable'])))
        parts.append(f'Left out, as they cannot be read: {paths}.')
    return parts


def _content(models: Mapping[str, Compared], cka: Mapping[str, Any] | None) -> dict[str, Any]:
    compared = {
        label: {
            'report': model.file,
            'model': model.report['model'],
            'provenance': model.report.get('provenance', model.report['model']),
            'block': model.key,
            'numbers': numbers_of(model.block),
        }
        for label, model in models.items()
    }
    return {'compared': compared} if cka is None else {'compared': compared, 'cka': cka}
