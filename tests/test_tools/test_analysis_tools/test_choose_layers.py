"""tools/analysis_tools/choose_layers.py: a snippet that goes into a config."""

import json
import sys

import mmvitkd  # noqa: F401

import pytest
from tool_modules import load_tool

# Of a CaiT-S24: high at both ends, as SpectralKD sees it; the last six most of all.
CAIT = [9.0, 8.0, *[1.0] * 16, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]


def report(intensities, keys=None, **block):
    keys = [str(i) for i in range(len(intensities))] if keys is None else keys
    blocks = {
        key: dict(block, frequency_intensity=value)
        for key, value in zip(keys, intensities, strict=True)
    }
    about = dict(num_images=8, num_tokens=16, embed_dims=24)
    return dict(model='timm:cait_s24_224', **about, blocks=blocks)


@pytest.fixture
def choose(tmp_path, monkeypatch, capsys):
    """Run the tool on a teacher; returns what it printed."""

    def run(teacher, student, *options):
        file = tmp_path / 'teacher' / 'report.json'
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(teacher))
        if isinstance(student, dict):
            (tmp_path / 'student.json').write_text(json.dumps(student))
            student = tmp_path / 'student.json'
        words = [file.parent, '--student', student, *options]
        monkeypatch.setattr(sys, 'argv', ['choose_layers', *map(str, words)])
        load_tool('analysis_tools/choose_layers').main()
        return capsys.readouterr().out

    return run


def pairs(printed):
    """The pairs in a config that contains the snippet."""
    return eval(f'dict({printed})')['pairs']


SPECTRALKD = [(0, 0), (1, 1), (6, 18), (7, 19), (8, 20), (9, 21), (10, 22), (11, 23)]


def test_the_published_layers_of_cait(choose):
    printed = choose(report(CAIT), 12)
    assert pairs(printed) == SPECTRALKD
    share = sum(CAIT[:2] + CAIT[-6:]) / sum(sorted(CAIT)[-8:])
    assert '# timm:cait_s24_224: the first 2 and the last 6 of 24 blocks' in printed
    assert f'which hold {100 * share:.0f} % of' in printed


def test_a_student_is_a_depth_or_a_report(choose):
    assert pairs(choose(report(CAIT), report([1.0] * 12))) == SPECTRALKD
    four = choose(report(CAIT), 12, '--num-pairs', 4, '--first', 1)
    assert pairs(four) == [(0, 0), (9, 21), (10, 22), (11, 23)]


def test_a_lift_is_distilled_at_its_projected_tokens(choose):
    student = report([1.0] * 4, ['0', '1', '2', 'neck'])
    printed = choose(report(CAIT), student, '--num-pairs', 2, '--first', 1)
    assert pairs(printed) == [(0, 0), ('neck.norm', 23)]
    assert 'The student is a Lift' in printed
    only_first = choose(report(CAIT), student, '--num-pairs', 2, '--first', 2)
    assert pairs(only_first) == [(0, 0), (1, 1)]


@pytest.mark.parametrize(
    ('teacher', 'student', 'wrong'),
    [
        (
            report([1.0], ['11']),
            12,
            r'teacher: blocks: found 11, wanted all from 0; .*--blocks',
        ),
        (report([1.0], ['neck']), 12, r'teacher: blocks: found neck, wanted all from 0'),
        (
            report([1.0, None]),
            12,
            r'teacher: blocks\.1\.frequency_intensity: found None, wanted a number; measure',
        ),
        (report(CAIT[:6]) | {'num_blocks': 24}, 12, r'blocks: found 0, .*, 5, wanted all from'),
        (report(CAIT), report([1.0], ['3']), r'student\.json: blocks: found 3, wanted all'),
        (report(CAIT), 'no.json', r'no\.json: there is no such report'),
        (report(CAIT), '0', r'student_depth=0'),
        (report([0.0, 0.0]), '2', r'intensities: found \[0\.0, 0\.0\]'),
        ({'model': 'a'}, '2', r"report\.json: found no 'num_images'"),
    ],
)
def test_what_cannot_be_chosen_from(choose, teacher, student, wrong):
    with pytest.raises(SystemExit, match=f'^choose_layers: .*{wrong}'):
        choose(teacher, student)
