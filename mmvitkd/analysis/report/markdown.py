"""report.md: what was measured, the numbers, and how the figures are read."""

from collections.abc import Iterable, Mapping
from typing import Any

from ...utils.tables import markdown_table
from .captions import COLUMNS, READING
from .plot_utils import named
from .summary_table import in_digits, number_table

# arXiv 2511.15572: 99th percentiles over the first image of each ImageNet class, at 80, 90,
# 95 and 99 %; for the models whose weights the paper names.
PUBLISHED = {
    'timm:cait_s24_224': {'svd': (14, 34, 61, 121), 'pca': (167, 247, 302, 359)},
    'timm:deit_small_patch16_224': {'svd': (30, 59, 89, 146), 'pca': (205, 278, 324, 369)},
    'timm:swin_small_patch4_window7_224.ms_in1k': {
        'svd': (3, 7, 15, 33),
        'pca': (129, 336, 495, 691),
    },
}
THRESHOLDS = ('0.80', '0.90', '0.95', '0.99')
SCORES = {'labels': "an image's label", 'predictions': 'the class that the model predicts'}
MEASURES = {'svd': "image's own (SVD)", 'pca': "dataset's (PCA)"}


def report_text(report: Mapping[str, Any], drawn: Iterable[str]) -> str:
    """The report in Markdown.

    Args:
        report: As in ``report.json``.
        drawn: The figures there are, as named in ``READING``.
    """
    sections = [
        f'# The representation of {report.get("provenance", report["model"])}',
        *_facts(report),
        '## Numbers',
        markdown_table(*number_table(_rows(report['blocks']))),
        COLUMNS,
        *_score(report['blocks']),
        *_dimensions(report),
        *_alignment(report['blocks']),
    ]
    for name, (heading, text) in READING.items():
        if name in drawn:
            sections += [f'## {heading}', f'![{heading}](figures/{name}.png)', text]
        if name == 'sep':
            sections += _permutation(report['blocks'])
    sections += ['## Settings', _settings(report)]
    return '\n\n'.join(sections) + '\n'


def _rows(blocks: Mapping[str, Any]) -> dict[str, Any]:
    return {named(key): block for key, block in blocks.items()}


def _facts(report: Mapping[str, Any]) -> list[str]:
    """The model and the images, and what was wrong with them."""
    images = report.get('images', {})
    facts = [
        f'{report["num_images"]:,} images of {_code(images.get("folder", ""))}; at the last '
        f'block {report["num_tokens"]} tokens each, of {report["embed_dims"]} channels. '
        f'Model: {_code(report.get("provenance", report["model"]))}.'
    ]
    if report.get('random_weights'):
        facts.append('**The weights are random**: nothing was loaded into the model.')
    unreadable = images.get('unreadable', [])
    if unreadable:
        names = ', '.join(map(_code, unreadable))
        facts.append(
            f'**{len(unreadable)} images could not be read** and are left out: {names}.'
        )
    for key, block in report['blocks'].items():
        if block.get('zero_tokens'):
            facts.append(
                f'**{block["zero_tokens"]} tokens of {named(key)} are zero**: they have no '
                'share of energy, and are left out of SEP and of the channels.'
            )
    return [*facts, *_held_out(report)]


def _held_out(report: Mapping[str, Any]) -> list[str]:
    """Which images PCA and rotation are of, if not of all, and whether they suffice."""
    total = report['num_images']
    facts: list[str] = []
    for key, block in report['blocks'].items():
        of_basis = block.get('pca') or block.get('rotation') or {}
        if not of_basis.get('held_out'):
            continue
        judged = of_basis['num_images']
        if not facts:
            facts.append(
                f'PCA and rotation: {judged} of {total} images, judged by the directions of '
                f'the other {total - judged}. SVD and all others: all {total} images.'
            )
        tokens = (total - judged) * block['num_tokens']
        if tokens < block['embed_dims']:
            facts.append(
                f'**The directions of {named(key)} are fitted to {tokens} tokens, fewer than '
                f'its {block["embed_dims"]} channels**: those beyond are arbitrary, and '
                'dimensions that reach them say nothing. Take more images.'
            )
    return facts


def _score(blocks: Mapping[str, Any]) -> list[str]:
    """What the gradient is of."""
    for block in blocks.values():
        if 'gradient_magnitude' in block:
            score = SCORES[block['gradient_magnitude']['score']]
            return [f'The gradient is that of the logit of {score}.']
    return []


def _dimensions(report: Mapping[str, Any]) -> list[str]:
    """The last block's dimensions at every share, beside the published ones."""
    key, block = list(report['blocks'].items())[-1]
    known = not report.get('random_weights') and report['model'] in PUBLISHED
    published = PUBLISHED[report['model']] if known else {}
    rows = []
    for measure, name in MEASURES.items():
        if measure in block:
            p99 = [in_digits(block[measure][threshold]['p99']) for threshold in THRESHOLDS]
            rows.append([name, *p99])
            if measure in published:
                rows.append([f'{name}, published', *map(str, published[measure])])
    if not rows:
        return []
    header = [f'{named(key)}, 99th percentile', *(f'{100 * float(t):g} %' for t in THRESHOLDS)]
    parts = [markdown_table(header, rows)]
    if published:
        parts.append(
            'Published for the pretrained model, its last block and the first validation image '
            'of each of the 1,000 classes of ImageNet (arXiv 2511.15572).'
        )
    return parts


def _permutation(blocks: Mapping[str, Any]) -> list[str]:
    """What the last block's order of channels does to its bandwidths."""
    key, block = list(blocks.items())[-1]
    sep = block.get('sep', {})
    if not sep.keys() >= {'full', 'permuted'}:
        return []
    permuted, bandwidth = sep['permuted'], sep['full']['bandwidth']
    rows = [
        [
            f'b{float(threshold) * 100:.0f}',
            in_digits(bandwidth[threshold]),
            in_digits(permuted['bandwidth'][threshold]),
            f'{change["mean"]:+.4f} [{change["low"]:+.4f}, {change["high"]:+.4f}]',
            f'{permuted["p_value"][threshold]:.3f}',
        ]
        for threshold, change in permuted['change'].items()
        if threshold in bandwidth
    ]
    header = [named(key), 'as it is', 'permuted', 'change', 'p']
    return [
        markdown_table(header, rows),
        'Change: permuted less as it is, with the '
        f'{100 * permuted["confidence"]:g} % interval of a paired bootstrap over images '
        f'({permuted["num_resamples"]} resamples): would other images say the same? p: '
        f'the share of {permuted["num_orders"]} random orders, and the own one, that lie as '
        'far from their mean: is the own order unlike a random one?',
    ]


def _alignment(blocks: Mapping[str, Any]) -> list[str]:
    """CKA of the blocks to the last one."""
    last = list(blocks)[-1]
    rows = [
        [named(key), in_digits(cka['to'][last]), in_digits(cka['null'][last]), cka['rows']]
        for key, cka in ((key, block.get('cka', {'to': {}})) for key, block in blocks.items())
        if last in cka['to']
    ]
    if not rows:
        return []
    return [
        f'## Linear CKA to {named(last)}',
        markdown_table(['', 'CKA', 'null', 'rows'], rows),
        'From 0 to 1; rotating or scaling all channels changes nothing. With few rows next to '
        'the channels it is high whatever the features: the null is its value of shuffled '
        'rows, a lower bound where the rows are tokens, as those of an image are alike.',
    ]


def _settings(report: Mapping[str, Any]) -> str:
    versions = {f'version of {name}': version for name, version in report['versions'].items()}
    rows = [[key, _code(value)] for key, value in {**report['settings'], **versions}.items()]
    return markdown_table(['setting', 'value'], rows, text_columns=2)


def _code(value: Any) -> str:
    """A value, so that nothing in it is taken for Markdown."""
    text = ' '.join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f'`{text.replace("|", "/")}`' if text else ''
