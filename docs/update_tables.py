"""Write the tables of the documents that report recorded runs.

`python docs/update_tables.py` rewrites the text between the markers `<!-- table: NAME -->` and
`<!-- end -->`; with `--check` it changes nothing, and fails if a table is out of date.
"""

import argparse
import re
import sys
from collections.abc import Callable, Mapping

import mmvitkd  # noqa: F401  (first: it patches what the tables import)

from document_tables import advice, controls, features, forced, performance, published, study
from document_tables.cells import DOCS

DOCUMENTS: dict[str, dict[str, Callable[[], str]]] = {
    'controls.md': {'controls': controls.controls_table},
    'published.md': {'models': published.published_table},
    'targets.md': {'targets': features.targets_table},
    'foundation_models.md': {'losses': features.label_free_table},
    'foundation.md': {
        'targets': study.study_targets_table,
        'accuracies': study.remedy_accuracies_table,
        'remedies': study.remedies_table,
        'label_free': study.study_label_free_table,
    },
    'recommend.md': {
        'advice': advice.advice_table,
        'order': advice.order_table,
        'cells': advice.cells_widths_table,
        'digits': advice.digits_widths_table,
    },
    'forced.md': {
        'scores': forced.forced_scores_table,
        'match': forced.forced_match_table,
        'analyses': forced.forced_analyses_table,
    },
    'teacher_cache.md': {'students': controls.cached_students_table},
    'performance.md': {
        'growth': performance.growth_table,
        'step': performance.step_table,
        'first': performance.first_table,
        'cached': performance.cached_table,
        'reader': performance.reader_table,
        'data': performance.data_table,
    },
}


def updated(text: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """Return a document with its tables generated anew.

    Raises:
        ValueError: If the markers of a table do not occur exactly once.
    """
    for name, table in tables.items():
        pattern = rf'(<!-- table: {name} -->\n).*?(\n<!-- end -->)'
        content = table()
        text, count = re.subn(
            pattern, lambda m, new=content: f'{m[1]}\n{new}\n{m[2]}', text, flags=re.DOTALL
        )
        if count != 1:
            raise ValueError(f'<!-- table: {name} -->: found {count} times, wanted once.')
    return text


def main() -> None:
    """Rewrite or check all documents."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--check', action='store_true', help='change nothing; fail if outdated')
    args = parser.parse_args()
    outdated = []
    for name, tables in DOCUMENTS.items():
        path = DOCS / name
        text = path.read_text()
        new = updated(text, tables)
        if new != text:
            outdated.append(name)
            if not args.check:
                path.write_text(new)
    if args.check and outdated:
        sys.exit(f'{", ".join(outdated)}: outdated; run python docs/update_tables.py')


if __name__ == '__main__':
    main()
