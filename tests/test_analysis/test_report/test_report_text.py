"""report.md has the numbers of the report, and names problems."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis.functional.width_floor import smallest_width
from mmvitkd.analysis.measures.published import PUBLISHED
from mmvitkd.analysis.report.report_text import report_text
from mmvitkd.analysis.report.summary_table import number_table, numbers_of

import pytest
import timm
from representation_reports import report


def table(text, beginning):
    """The rows of the table whose header begins so: lists of cells."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(beginning))
    rows = []
    for line in lines[start:]:
        if not line.startswith('|'):
            break
        rows.append([cell.strip() for cell in line.strip('|').split('|')])
    return rows


def test_the_numbers_are_the_reports():
    content = report()
    header, _, *rows = table(report_text(content, ()), '|  | channels')
    assert [row[0] for row in rows] == ['block 0', 'block 1', 'block 2']
    for row, block in zip(rows, content['blocks'].values(), strict=True):
        wanted = {
            'channels': block['embed_dims'],
            'SVD 99 %': block['svd']['0.99']['p99'],
            'PCA 99 %': block['pca']['0.99']['p99'],
            'overlap': block['rotation']['pairs']['overlap']['mean'],
            'random overlap': block['rotation']['null'],
            'SEP b90': block['sep']['full']['bandwidth']['0.90'],
            'null b90': block['sep']['null']['bandwidth']['0.90'],
            'permuted b90': block['sep']['permuted']['bandwidth']['0.90'],
            'sorted b90': block['sorted_energy']['bandwidth']['0.90'],
            'participation': block['participation_ratio']['mean'],
            'effective rank': block['effective_rank']['mean'],
            'width 1 %': smallest_width(block['floor']['centred']['in_sample'], 0.01),
            'mean token': block['floor']['mean_share'],
            'rotation floor': block['subspace_floor']['4']['floor'][12],
            'intensity': block['frequency_intensity'],
            'entropy, bits': block['entropy']['mean'],
            'activation': block['activation_magnitude']['mean'],
            'gradient': block['gradient_magnitude']['mean'],
        }
        assert numbers_of(block) == wanted
        assert header[1:] == list(wanted)
        assert [float(cell) for cell in row[1:]] == pytest.approx([*wanted.values()], rel=1e-3)


def test_a_number_that_is_missing_is_an_empty_cell():
    blocks = report()['blocks']
    del blocks['0']['svd'], blocks['0']['gradient_magnitude'], blocks['1']['gradient_magnitude']
    del blocks['2']['gradient_magnitude']
    header, rows = number_table({'a': blocks['0'], 'b': blocks['1']})
    assert 'gradient' not in header
    assert rows[0][header.index('SVD 99 %')] == ''
    assert rows[1][header.index('SVD 99 %')] != ''


def test_the_last_blocks_dimensions_at_every_share():
    content = report()
    last = content['blocks']['2']
    header, _, svd, pca = table(report_text(content, ()), '| block 2, 99th percentile')
    assert header[1:] == ['80 %', '90 %', '95 %', '99 %']
    for row, measure in ((svd, 'svd'), (pca, 'pca')):
        wanted = [last[measure][t]['p99'] for t in ('0.80', '0.90', '0.95', '0.99')]
        assert [float(cell) for cell in row[1:]] == pytest.approx(wanted, rel=1e-3)


def of_cait(*blocks, **settings):
    """A report of some blocks of CaiT, which has 24."""
    content = report(blocks=blocks, model='timm:cait_s24_224') | dict(num_blocks=24)
    content['settings'] |= dict(final_norm=False, image_size=[224, 224]) | settings
    return content


def test_published_numbers_are_next_to_those_of_the_last_block():
    content = of_cait('5', '23')
    text = report_text(content, ())
    rows = table(text, '| block 23, 99th percentile')
    published = [row[1:] for row in rows if 'published' in row[0]]
    assert published == [['14', '34', '61', '121'], ['167', '247', '302', '359']]
    _, _, own, paper = table(text, '| block 23, frequencies')
    assert paper[1:] == ['192', '230', '270', '309', '346']
    found = content['blocks']['23']['sep']['full']['d']
    assert own[1:] == [str(d) for d in found.values()]
    assert text.count('first validation image') == 1
    assert 'random' not in text.split('## Numbers')[0]


@pytest.mark.parametrize(
    ('content', 'block'),
    [
        (of_cait('5'), 5),
        (of_cait('23', '5'), 5),
        (of_cait('23', final_norm=True), 23),
        (of_cait('23', image_size=[384, 384]), 23),
        (of_cait('23') | dict(random_weights=True), 23),
        (of_cait('23') | dict(model='timm:toy'), 23),
    ],
    ids=['middle', 'middle last', 'final norm', 'size', 'random', 'model'],
)
def test_published_numbers_are_not_next_to_others(content, block):
    text = report_text(content, ())
    rows = table(text, f'| block {block}, 99th percentile')
    assert len(rows) == 4 and 'published' not in text.lower()
    assert ('The weights are random' in text) is content['random_weights']


@pytest.mark.parametrize('name', PUBLISHED)
def test_published_numbers_fit_their_widths(name):
    """They grow with the threshold, and SEP is about the diagonal, as of any token."""
    model = PUBLISHED[name]
    assert timm.is_model(name.removeprefix('timm:').partition('.')[0])
    assert len(PUBLISHED) == 14
    for dimensions in (model.svd, model.pca, model.sep):
        assert list(dimensions) == sorted(dimensions) and dimensions[-1] <= model.embed_dims
    shares = [d / model.embed_dims for d in model.sep]
    assert shares == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9], abs=0.025)
    assert all(own <= data for own, data in zip(model.svd[2:], model.pca[2:], strict=True))


def test_what_was_left_out_is_named():
    content = report()
    content['images']['unreadable'] = ['a/broken.jpg', 'b/empty.png']
    content['blocks']['1']['zero_tokens'] = 7
    text = report_text(content, ())
    assert '**2 images could not be read**' in text
    assert '`a/broken.jpg`, `b/empty.png`' in text
    assert '**7 tokens of block 1 are zero**' in text
    clean = report_text(report(), ())
    assert 'could not be read' not in clean and 'are zero' not in clean


def test_the_permutation_test_of_the_last_block():
    content = report()
    sep = content['blocks']['2']['sep']
    header, _, *rows = table(report_text(content, ()), '| block 2 | natural order')
    assert header == ['block 2', 'natural order', 'permuted', 'change', 'p']
    assert [row[0] for row in rows] == ['b50', 'b60', 'b70', 'b80', 'b90']
    change = sep['permuted']['change']['0.90']
    assert rows[-1][3] == '{mean:+.4f} [{low:+.4f}, {high:+.4f}]'.format(**change)
    natural = sep['permuted']['natural']['0.90']['mean']
    assert float(rows[-1][1]) == pytest.approx(natural, rel=1e-3)
    assert rows[-1][4] == f'{sep["permuted"]["p_value"]["0.90"]:.3f}'


def test_cka_to_the_last_block():
    content = report()
    _, _, first, second = table(report_text(content, ()), '|  | CKA | null')
    for row, key in ((first, '0'), (second, '1')):
        cka = content['blocks'][key]['cka']
        assert row[0] == f'block {key}' and row[3] == 'tokens'
        wanted = [cka['to']['2'], cka['null']['2']]
        assert [float(cell) for cell in row[1:3]] == pytest.approx(wanted, rel=1e-3)


def test_the_heading_says_whose_report_it_is():
    content = report(model='configs/distill.py')
    content['provenance'] = 'teacher of configs/distill.py, timm:cait_s24_224'
    heading = report_text(content, ()).splitlines()[0]
    assert heading == f'# The representation of {content["provenance"]}'


def held_out(judged, total, num_tokens=16):
    """A report of one block, 24 wide, whose basis is of every second image."""
    content = report(blocks=('11',))
    content['num_images'] = total
    block = content['blocks']['11']
    block['num_tokens'] = num_tokens
    for measure in ('pca', 'rotation'):
        block[measure] |= dict(held_out=True, num_images=judged)
    return content


def test_half_of_the_images_kept_apart():
    text = report_text(held_out(6, 13), ())
    assert (
        'PCA and rotation: 6 of 13 images, projected on the directions of the other 7' in text
    )
    assert 'PCA and rotation:' not in report_text(report(), ())


@pytest.mark.parametrize(('judged', 'total', 'enough'), [(2, 5, True), (2, 4, False)])
def test_too_few_tokens_for_the_directions(judged, total, enough):
    """Of 8 tokens an image, 24 channels take 3 images."""
    text = report_text(held_out(judged, total, num_tokens=8), ())
    warning = '**The directions of block 11 are fitted to 16 tokens, fewer than its 24 channels'
    assert (warning in text) is not enough
    assert ('are fitted to' in text) is not enough


@pytest.mark.parametrize(
    ('score', 'words'),
    [('labels', "an image's label."), ('predictions', 'the class that the model predicts.')],
)
def test_what_the_gradient_is_of(score, words):
    content = report()
    for block in content['blocks'].values():
        block['gradient_magnitude']['score'] = score
    assert f'The gradient is that of the logit of {words}' in report_text(content, ())
    for block in content['blocks'].values():
        del block['gradient_magnitude']
    assert 'The gradient is that' not in report_text(content, ())


def test_names_of_files_and_models_are_shown_as_they_are():
    content = report()
    content['images']['unreadable'] = ['a/`<img src=x>`\n# b.jpg', 'c/\udcff.jpg']
    content['provenance'] = '[x](y)'
    text = report_text(content, ())
    assert r'``a/`<img src=x>`\n# b.jpg``, `c/\udcff.jpg`' in text
    assert text.startswith('# The representation of &#91;x&#93;(y)\n')
    assert text.encode()


def test_settings_and_versions_are_listed():
    content = report()
    content['settings']['spill'] = 'a|b'
    rows = table(report_text(content, ()), '| setting')
    assert ['blocks', '`0 1 2`'] in rows
    assert '| spill | `a\\|b` |' in report_text(content, ())  # a bar would end the cell
    assert ['version of torch', '`2`'] in rows


def test_sep_is_introduced_with_its_null():
    text = report_text(report(), ['sep', 'sorted_energy'])
    assert 'Never read it without its null' in ' '.join(text.split())
    assert '0.003, 0.013 and 0.45' in text
