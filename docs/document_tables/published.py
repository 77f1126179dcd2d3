"""The table of docs/published.md: dimensions of pretrained models."""

from mmvitkd.analysis.measures.published import PUBLISHED
from mmvitkd.utils.tables import markdown_table


def published_table() -> str:
    """Return the published dimensions of pretrained models."""
    rows = [
        [
            *(found.model, f'`{found.name}`', str(found.embed_dims)),
            *(' / '.join(map(str, numbers)) for numbers in (found.svd, found.pca, found.sep)),
        ]
        for found in PUBLISHED.values()
    ]
    header = ['model', 'in timm', 'D', 'SVD 80 / 90 / 95 / 99 %', 'PCA 80 / 90 / 95 / 99 %']
    return markdown_table([*header, 'SEP 50 / 60 / 70 / 80 / 90 %'], rows, text_columns=2)
