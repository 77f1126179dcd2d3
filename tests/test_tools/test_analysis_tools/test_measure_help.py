"""The measures in `--help`, read from their source files."""

import ast

import mmvitkd  # noqa: F401

import pytest
from shipped_measures import SHIPPED
from tool_modules import load_tool


@pytest.fixture
def tool():
    return load_tool('analysis_tools/measure_help')


def test_each_measure_and_what_it_says(tool):
    found = tool.measure_meanings()
    assert found.items() >= {(name, measure.meaning) for name, measure in SHIPPED.items()}


def test_attributes_may_be_annotated(tool):
    source = "class A:\n    name: ClassVar[str] = 'a'\n    meaning = 'text'\n    needs: str"
    assert tool._text_attributes(ast.parse(source).body[0]) == {'name': 'a', 'meaning': 'text'}
