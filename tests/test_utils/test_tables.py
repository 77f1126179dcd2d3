"""Tables on the screen and in Markdown."""

import mmvitkd  # noqa: F401
from mmvitkd.utils.tables import markdown_table, screen_table

from rich.console import Console

HEADER, ROWS = ['run', 'top-1'], [['plain', '9.5'], ['lift', '10.5']]


def test_markdown_aligns_numbers_to_the_right():
    wanted = '| run | top-1 |\n| --- | ---: |\n| plain | 9.5 |\n| lift | 10.5 |'
    assert markdown_table(HEADER, ROWS) == wanted


def test_markdown_aligns_columns_of_text_to_the_left():
    lines = markdown_table([*HEADER, 'note'], [['a', 'b', 'c']], text_columns=2).splitlines()
    assert lines[1] == '| --- | --- | ---: |'


def test_what_would_break_a_markdown_table_stays_in_its_cell():
    assert markdown_table(['a'], [['b|c\nd']]).splitlines()[2:] == [r'| b\|c d |']


def test_the_screen_shows_brackets_as_they_are():
    console = Console(width=40)
    with console.capture() as shown:
        console.print(screen_table(['[bold]x'], [['[/y] [link=z]']]))
    assert [line.rstrip() for line in shown.get().splitlines()] == ['[bold]x', '[/y] [link=z]']


def test_the_screen_shows_the_same():
    console = Console(width=40)
    with console.capture() as shown:
        console.print(screen_table(HEADER, ROWS))
    lines = [line.rstrip() for line in shown.get().splitlines()]
    assert lines == ['run    top-1', 'plain    9.5', 'lift    10.5']
