"""The card's table of compact files."""

from mmvitkd.export.fidelity import Fidelity
from mmvitkd.export.fidelity_text import fidelity_text


def test_a_row_for_each_file():
    found = Fidelity(1_500_000, 0.25, 0.0123, 99.0, None, 4.567)
    title, table, about = fidelity_text({'student.int8.onnx': found})
    assert title.startswith('## ') and 'share of' in about
    [row] = [line for line in table.splitlines() if 'int8' in line]
    cells = [cell.strip() for cell in row.strip('|').split('|')]
    assert cells == ['`student.int8.onnx`', '1.50 MB', '0.25', '0.012', '99.0', '', '4.57']


def test_no_file_no_section():
    assert fidelity_text({}) == []
