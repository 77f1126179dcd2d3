"""Write text of unknown origin, such as names of files and classes, into Markdown."""

import re

# What Markdown, HTML or mathematics in either give a meaning; also links without brackets.
SPECIAL = re.compile(r'[\\`*\[\]<>&|~$^{}#@!]|:(?=//)|(?<![^\W_])_|_(?![^\W_])|(?<=www)\.')


def escape(text: str) -> str:
    """Return one line of Markdown that shows the text as it is; the letters of a name stay."""
    return SPECIAL.sub(lambda match: f'&#{ord(match[0])};', printable(text))


def code_span(text: str) -> str:
    """Return one line of Markdown that shows the text as code; empty for an empty text."""
    text = printable(text)
    fence = '`' * (1 + max(map(len, re.findall('`+', text)), default=0))
    pad = ' ' if text.startswith('`') or text.endswith('`') else ''
    return f'{fence}{pad}{text}{pad}{fence}' if text else ''


def printable(text: str) -> str:
    """Replace line breaks, control characters and undecodable bytes by Python's escapes."""
    return ''.join(c if c.isprintable() else c.encode('unicode_escape').decode() for c in text)
