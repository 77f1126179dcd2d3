"""A sample of changed configs: no misspelling passes, nothing fails unnamed or late."""

import config_fuzz


def test_a_sample_of_changes(tmp_path):
    found = list(config_fuzz.run(tmp_path, sample=60, seed=0))
    wrong = [
        (mutation, key, outcome, message)
        for mutation, key, _, outcome, message in found
        if outcome in ('ugly', 'late') or (outcome, mutation) == ('silent', 'misspelt')
    ]
    assert wrong == []
    assert sum(mutation == 'misspelt' for mutation, *_ in found) > 5
