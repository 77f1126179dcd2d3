"""Format report.md: what was measured, the numbers, and how to read the figures."""

from collections.abc import Collection, Mapping
from typing import Any

from ...utils.markdown import code_span, escape
from ...utils.tables import markdown_table
from ..measures.base import Measure, Text
from ..measures.checks import named_errors
from ..measures.selection import all_measures
from ..plotting.figure import ReportFigure
from ..plotting.panels import block_label
from .summary_table import column_notes, number_table

Report = Mapping[str, Any]


def report_text(report: Report, drawn: Collection[str]) -> str:
    """Return the report in Markdown.

    Args:
        report: The content of ``report.json``.
        drawn: The names of the figures that were drawn.
    """
    blocks = report['blocks']
    sections = [
        f'# The representation of {escape(str(report.get("provenance", report["model"])))}',
        *_facts(report),
        *_texts('warnings', report),
        '## Numbers',
        markdown_table(
            *number_table({escape(block_label(key)): block for key, block in blocks.items()})
        ),
        *column_notes(blocks.values()),
        *_texts('numbers', report),
    ]
    left = set(drawn)
    for measure in all_measures().values():
        for figure in measure.figures:
            if figure.name in left:
                left.remove(figure.name)
                sections += figure_section(figure)
        for text in measure.details:
            sections += _paragraphs(measure, 'details', text, report)
    sections += ['## Settings', _settings(report)]
    return '\n\n'.join(sections) + '\n'


def figure_section(figure: ReportFigure) -> list[str]:
    """Return the heading, the link and the caption of a figure."""
    link = f'![{figure.heading}](figures/{figure.name}.png)'
    return [f'## {figure.heading}', link, figure.caption]


def unreadable_note(paths: Collection[str]) -> list[str]:
    """Name the images that could not be read, if any."""
    if not paths:
        return []
    names = ', '.join(map(code_span, paths))
    return [f'**{len(paths)} images could not be read** and are left out: {names}.']


def _texts(kind: str, report: Report) -> list[str]:
    """Return one kind of the measures' paragraphs, without duplicates."""
    texts: dict[Text, type[Measure]] = {}
    for measure in all_measures().values():
        for text in getattr(measure, kind):
            texts.setdefault(text, measure)
    return [
        paragraph
        for text, measure in texts.items()
        for paragraph in _paragraphs(measure, kind, text, report)
    ]


def _paragraphs(measure: type[Measure], kind: str, text: Text, report: Report) -> list[str]:
    where = f'measure {measure.name!r}: {kind}'
    with named_errors(where):
        found = text(report)
    if not isinstance(found, list) or not all(isinstance(part, str) for part in found):
        raise TypeError(f'{where}: found {found!r:.40}, wanted a list of paragraphs.')
    return found


def _facts(report: Report) -> list[str]:
    """State the model, the images, and problems with either."""
    images = report.get('images', {})
    facts = [
        f'{report["num_images"]:,} images of {_code(images.get("folder", ""))}; at the last '
        f'block {report["num_tokens"]} tokens each, of {report["embed_dims"]} channels. '
        f'Model: {_code(report.get("provenance", report["model"]))}.'
    ]
    if report.get('random_weights'):
        facts.append('**The weights are random**: nothing was loaded into the model.')
    facts += unreadable_note(images.get('unreadable', []))
    for key, block in report['blocks'].items():
        if block.get('zero_tokens'):
            facts.append(
                f'**{block["zero_tokens"]} tokens of {escape(block_label(key))} are zero**: '
                'they have no energy, and are left out of SEP and channel energy.'
            )
    return facts


def _settings(report: Report) -> str:
    versions = {f'version of {name}': version for name, version in report['versions'].items()}
    rows = [[key, _code(value)] for key, value in {**report['settings'], **versions}.items()]
    return markdown_table(['setting', 'value'], rows, text_columns=2)


def _code(value: Any) -> str:
    """Return a value as code, so that it is not parsed as Markdown."""
    text = ' '.join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return code_span(text)
