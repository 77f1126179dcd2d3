"""Draw docs/recommend/widths.png: errors over widths next to the floor, from recorded runs.

`python docs/draw_widths.py`, after a change of the records that `update_tables.py` reads.
"""

import mmvitkd  # noqa: F401  (first: it patches what the records' suites import)
from mmvitkd.analysis.plotting.figure import new_figure
from mmvitkd.utils.plotting import COLORS, GREY, plain, save

from document_tables.advice import FILES, NAMES, students_of
from document_tables.cells import DOCS
from matplotlib.axes import Axes

SHOWN = ('projector', 'advised', 'lift', 'widelast')


def draw_images(axes: Axes, images: str) -> None:
    """Draw the held-out errors of all students of a kind of images, and the floor."""
    found = students_of(images)
    for remedy, color in zip(SHOWN, COLORS[1:], strict=False):
        students = [s for s in found if s.remedy == remedy]
        if students:
            widths = [s.width for s in students]
            errors = [s.mean('rel_error') for s in students]
            axes.plot(widths, errors, marker='o', color=color, label=NAMES[remedy])
            for student in students:
                each = [scores['rel_error'] for scores in student.scores.values()]
                axes.scatter([student.width] * len(each), each, s=9, color=color, alpha=0.6)
    projectors = [s for s in found if s.remedy == 'projector']
    widths = [s.width for s in projectors]
    floors = [s.mean('floor') for s in projectors]
    axes.fill_between(widths, floors, color=GREY, alpha=0.3, linewidth=0, label='floor')
    mean_token = projectors[0].mean('mean_token')
    axes.axhline(mean_token, color=GREY, linestyle='--', linewidth=1, label='mean token')
    axes.set_xscale('log', base=2)
    axes.set_xticks(widths, [str(width) for width in widths])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("width of the student's blocks")
    axes.set_title(images, loc='left', fontsize=10)


def main() -> None:
    """Draw a panel for each kind of images."""
    figure = new_figure(9.0, 3.6)
    panels = figure.subplots(1, len(FILES))
    for axes, images in zip(panels, FILES, strict=True):
        draw_images(plain(axes), images)
    panels[0].set_ylabel("error, share of the target's energy")
    panels[-1].legend(frameon=False, fontsize=9, loc='upper right', bbox_to_anchor=(1, 0.93))
    save(figure, DOCS / 'recommend' / 'widths.png')


if __name__ == '__main__':
    main()
