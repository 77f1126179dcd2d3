"""How good a student is, on its card."""

from mmvitkd.export.score import Score
from mmvitkd.export.score_text import closeness, score_text

ERRORS = {
    'feature/val_rel_error': 0.3,
    'feature/val_r2': 0.66666,
    'feature/pair_0/val_rel_error': 0.2,
    'feature/pair_0/val_r2': 0.77777,
    'feature/pair_0/val_mean_token': 0.9,
    'feature/kd_1/val_rel_error': 0.4,
    'feature/kd_1/val_r2': 0.5,
    'feature/kd_1/val_mean_token': 0.8,
}


def test_metrics_and_the_mean_over_the_features():
    assert score_text(None) == 'not measured'
    metrics = {'accuracy/top1': 78.234, 'knn/top1': 41.7, **ERRORS}
    assert score_text(Score(metrics, 'a test')) == (
        'top-1 78.23 %, knn/top1 41.70, R2 of the features 0.6667 (a test)'
    )
    assert score_text(Score({'accuracy/top5': 93}, 'a test')) == 'top-5 93.00 % (a test)'


def test_each_loss_has_a_row_of_errors():
    heading, text, table = closeness(Score(ERRORS, 'the validation of epoch 2'), ['a and b'])
    assert heading.startswith('## ') and 'images of the validation of epoch 2' in text
    assert table.splitlines()[0] == '|  | relative error | of the mean token | R2 |'
    assert table.splitlines()[2:] == [
        '| a and b | 0.2000 | 0.9000 | 0.7778 |',
        '| kd_1 | 0.4000 | 0.8000 | 0.5000 |',
    ]


def test_without_errors_there_is_no_section():
    assert closeness(None, []) == closeness(Score({'knn/top1': 4}, 'a test'), []) == []
