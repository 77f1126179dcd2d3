"""Tables of accuracies over seeds: docs/controls.md and docs/teacher_cache.md."""

from mmvitkd.experiments.statistics import paired_difference, summarize
from mmvitkd.utils.tables import markdown_table

from mmengine.config import Config

from .cells import DOCS, interval_text, read, score_cells, scores_of, student_parameters

# Names of the runs of controls/results.json in the document.
STUDENTS = {
    'vit_32': 'plain, labels only',
    'vit_32_lift_labels_only': 'Lift, labels only',
    'vit_32_widelast_labels_only': 'WideLast, labels only',
    'vit_32_feature_kd': 'plain',
    'vit_32_lift': 'Lift',
    'vit_32_widelast': 'WideLast',
    'vit_32_gap': "Lift's pooling, no width",
    'vit_32_lift_cls': "Lift's width, no pooling",
    'vit_32_lift_noln': 'Lift without LayerNorm',
    'vit_32_projector': "Lift's projection, discarded",
    'vit_36_feature_kd': 'all blocks 36 wide',
    'vit_40_feature_kd': 'all blocks 40 wide',
    'vit_32_deeper': 'one more block',
    'vit_32_d9': 'three more blocks',
    'vit_32_mlp230': 'MLPs 230 wide',
}


def controls_table() -> str:
    """Return a row per run: every score, mean, deviation, and difference to the reference."""
    results = read('controls/results.json')
    rows = []
    for name in results['runs']:
        every, mean, difference = score_cells(results, name)
        deviation = summarize(list(scores_of(results, name).values())).deviation
        about = [STUDENTS[name], f'`{name}`', f'{_num_parameters(name):,}']
        rows.append([*about, every, mean, f'{deviation:.2f}', difference])
    header = ['student', 'config', 'parameters', 'top-1 % of seeds 0 to 4', 'mean, 95 %']
    return markdown_table([*header, 's.d.', 'minus plain, 95 %'], rows, text_columns=2)


def _num_parameters(name: str) -> int:
    file = DOCS.parent / 'configs' / 'mnist5k' / f'{name}.py'
    return student_parameters(Config.fromfile(file))


def cached_students_table() -> str:
    """Return the scores of students with a cache, and their differences to the live ones."""
    results = read('teacher_cache/results.json')
    scores = {name: scores_of(results, name) for name in results['runs']}
    rows = []
    for name in ('vit_32', 'vit_32_feature_kd', 'vit_32_lift', 'vit_32_widelast'):
        row = [STUDENTS[name]]
        for suffix in ('', '_20_views', '_5_views'):
            found = scores.get(name + suffix)
            row.append(' '.join(f'{score:.1f}' for score in found.values()) if found else '')
            if suffix:
                difference = paired_difference(found, scores[name]) if found else None
                row.append(interval_text(difference, '+.2f') if difference else '')
        rows.append(row)
    header = ['student', 'live', '20 views', 'minus live', '5 views', 'minus live']
    return markdown_table(header, rows)
