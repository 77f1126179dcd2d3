"""Names of unknown origin are shown as they are, and nothing else."""

import mmvitkd  # noqa: F401
from mmvitkd.utils.markdown import code_span, escape

import pytest
from markdown_it import MarkdownIt

HOSTILE = [
    '<script>alert(1)</script>',
    '[x](https://evil.example)',
    '![x](y)',
    'https://evil.example',
    'www.evil.example',
    'me@evil.example',
    '`code` and ``more`',
    '*bold* _emphasis_ ~~gone~~ $x^2$',
    'a | b',
    '{role}`x`',
    '&amp; \\* &#42;',
    '`',
    '_',
]


def shown(markdown):
    """The types of the parts that Markdown finds, and their text."""
    parser = MarkdownIt('gfm-like', {'linkify': False, 'html': True})
    (inline,) = (t for t in parser.parse(f'x {markdown} x') if t.type == 'inline')
    return {t.type for t in inline.children}, ''.join(t.content for t in inline.children)


@pytest.mark.parametrize('text', HOSTILE)
def test_text_is_shown_as_it_is(text):
    kinds, found = shown(escape(text))
    assert kinds <= {'text', 'text_special'}
    assert found == f'x {text} x'


@pytest.mark.parametrize('text', ['https://a.example', 'www.a.example', 'a@a.example'])
def test_nothing_becomes_a_link_by_itself(text):
    assert not any(part in escape(text) for part in ('://', 'www.', '@'))


@pytest.mark.parametrize('text', HOSTILE)
def test_code_is_shown_as_it_is(text):
    kinds, found = shown(code_span(text))
    assert kinds == {'text', 'code_inline'}
    assert found == f'x {text} x'


@pytest.mark.parametrize('name', ['golden_retriever', 'n01440764', 'Katze (jung), 3.5 %', 'é'])
def test_usual_names_do_not_change(name):
    assert escape(name) == name


def test_it_stays_one_line_that_can_be_encoded():
    for form in (escape, code_span):
        assert form('a\n# b\r\u202e\x1b\udcff').splitlines() == [
            form('a\n# b\r\u202e\x1b\udcff')
        ]
        assert form('\udcff').encode()
    assert code_span('a\nb') == r'`a\nb`'
    assert code_span('') == ''
