"""The measures that come with the package: tests name these, so that another turns none red."""

from mmvitkd.analysis.measures.selection import all_measures

NAMES = (
    'svd',
    'pca',
    'rotation',
    'sep',
    'permutation',
    'energy',
    'effective_rank',
    'floor',
    'subspace_floor',
    'cka',
    'spectrum',
    'entropy',
    'magnitude',
    'gradient',
)
SHIPPED = {name: all_measures()[name] for name in NAMES}
FIGURES = list(  # of a report
    dict.fromkeys(
        figure.name
        for measure in SHIPPED.values()
        for figure in measure.figures
        if figure.draw is not None
    )
)
TABLES = {table.name for measure in SHIPPED.values() for table in measure.tables}


def shipped(names):
    """Those of some names that come with the package, in their order."""
    return tuple(name for name in names if name in SHIPPED)
