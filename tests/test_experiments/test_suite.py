"""Suites: ours can be read, and a wrong one is refused by key and file."""

from pathlib import Path

import mmvitkd  # noqa: F401
from mmvitkd.experiments import read_suite, runs_of

import pytest
from mmengine.config import Config

ROOT = Path(__file__).parents[2]
GOOD = """
metric: accuracy/top1
reference: plain
once: {teacher: big.py}
runs:
  plain: small.py
  taught: {config: small.py, needs: {model.teacher_ckpt: teacher}}
"""


@pytest.fixture
def suite(tmp_path):
    for name in ('big', 'small'):
        (tmp_path / f'{name}.py').write_text('a = 1\n')

    def write(old='', new=''):
        assert old in GOOD
        path = tmp_path / 'suite.yml'
        path.write_text(GOOD.replace(old, new))
        return path

    return write


@pytest.mark.parametrize(
    'path', sorted((ROOT / 'configs').rglob('suites/*')), ids=lambda p: p.stem
)
def test_every_suite_of_ours_can_be_read(path):
    suite = read_suite(path)
    for run in runs_of(suite, [0], Path('out')):
        assert run.config.train_cfg.max_epochs > 0
    assert suite.reference in suite.compared


def test_the_demo_suite_trains_the_teacher_once():
    suite = read_suite(ROOT / 'configs/suites/mnist5k_demo.yml')
    runs = runs_of(suite, [3, 5], Path('out'))
    assert [run.name for run in runs[:2]] == ['vit_64', 'vit_32, seed 3']
    assert len(runs) == 1 + 2 * 4
    distilled = [run for run in runs if 'teacher' in run.config.model]
    assert len(distilled) == 6
    assert all(run.needs == {'model.teacher_ckpt': runs[0]} for run in distilled)


def test_a_suite_names_its_own_configs_and_packaged_ones(suite, tmp_path):
    found = read_suite(suite('plain: small.py', 'plain: mmvitkd::mnist5k/vit_32.py'))
    assert [entry.name for entry in found.entries] == ['teacher', 'plain', 'taught']
    assert found.compared == ['plain', 'taught']
    assert found.entries[1].config == ROOT / 'configs/mnist5k/vit_32.py'
    assert found.entries[2].config == tmp_path / 'small.py'


def test_options_override_the_config_of_their_entry_alone(suite):
    found = read_suite(suite('needs:', 'options: {a: 2, b.c: x, d: true}, needs:'))
    runs = {run.name: run for run in runs_of(found, [0], Path('out'), ['e=5'])}
    taught, plain = runs['taught, seed 0'], runs['plain, seed 0']
    assert taught.config.to_dict() == dict(
        a=2, b=dict(c='x'), d=True, e=5, randomness=dict(seed=0)
    )
    assert plain.config.to_dict() == dict(a=1, e=5, randomness=dict(seed=0))
    assert taught.fingerprint != plain.fingerprint


def test_needs_within_a_seed_are_of_that_seed(suite):
    found = read_suite(suite('ckpt: teacher', 'ckpt: plain'))
    runs = {run.name: run for run in runs_of(found, [0, 1], Path('out'))}
    assert runs['taught, seed 1'].needs['model.teacher_ckpt'] is runs['plain, seed 1']


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        (
            'reference: plain',
            'reference: plian',
            r"reference: 'plian' .* mean plain\?",
        ),
        ('reference: plain', 'reference: teacher', 'wanted one of plain, taught'),
        ('reference: plain', '', 'reference: found None, wanted a text'),
        ('metric: accuracy/top1', 'metric: 3', 'metric: found 3, wanted a text'),
        ('ckpt: teacher', 'ckpt: taecher', r"runs.taught.needs: .*'taecher' .* mean teacher\?"),
        ('ckpt: teacher', 'ckpt: taught', "'taught' is not an entry above"),
        ('reference:', 'refrence: a\nreference:', "unknown key 'refrence'; did you mean ref"),
        ('needs:', 'need:', "runs.taught: unknown key 'need'"),
        ('teacher: big.py', 'plain: big.py', 'runs.plain: there is another entry'),
        ('teacher: big.py', '../a: big.py', 'wanted a name of letters'),
        ('teacher: big.py', '1: big.py', 'wanted a name of letters'),
        ('plain: small.py', 'plain: [small.py]', 'runs.plain: found .* wanted names'),
        ('needs:', 'options: {fast: [1]}, needs:', r'runs.taught.options: fast: found \[1\]'),
        ('metric:', 'evaluate_features: 1\nmetric:', 'evaluate_features: found 1, wanted'),
        (GOOD, '- a', 'invalid suite'),
        (GOOD, 'a: {', 'invalid suite'),
        (GOOD, 'metric: a\nreference: b\n', 'runs: found none'),
    ],
)
def test_what_is_wrong_is_refused_by_key(suite, old, new, message):
    with pytest.raises(ValueError, match=rf'suite.yml: .*{message}'):
        read_suite(suite(old, new))


def test_a_config_that_does_not_exist_is_refused(suite):
    message = r'suite.yml: runs.plain.config: .*smal.py.*did you mean small.py\?'
    with pytest.raises(FileNotFoundError, match=message):
        read_suite(suite('plain: small.py', 'plain: smal.py'))
    with pytest.raises(FileNotFoundError, match=r'runs.plain.config: .*did you mean'):
        read_suite(suite('plain: small.py', 'plain: mmvitkd::mnist5k/vit_33.py'))


def test_a_suite_that_does_not_exist_is_refused(suite):
    path = suite().with_name('suiet.yml')
    with pytest.raises(FileNotFoundError, match=r'no such suite; did you mean suite.yml\?'):
        read_suite(path)


def test_the_given_reference_is_the_one(suite):
    assert read_suite(suite(), reference='taught').reference == 'taught'
    with pytest.raises(ValueError, match=r"--reference: 'taugt' .* mean taught"):
        read_suite(suite(), reference='taugt')


def test_nothing_in_a_suite_is_executed(suite, tmp_path):
    made = tmp_path / 'made'
    call = f'!!python/object/apply:os.mkdir ["{made}"]'
    with pytest.raises(ValueError, match=r'suite.yml: invalid suite: .*python/object/apply'):
        read_suite(suite('accuracy/top1', call))
    assert not made.exists()


def test_an_alias_bomb_is_refused_by_name(suite):
    bomb = 'a0: &a0 [x, x]\n' + ''.join(
        f'a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n' for i in range(1, 40)
    )
    with pytest.raises(ValueError, match=r'suite.yml: invalid suite: .*10,000 values'):
        read_suite(suite(GOOD, bomb + GOOD))


def test_only_yaml_is_read(tmp_path):
    (tmp_path / 'suite.py').write_text('raise SystemExit')
    with pytest.raises(ValueError, match='wanted a suite in YAML'):
        read_suite(tmp_path / 'suite.py')


def test_options_and_seed_are_in_the_config(suite):
    run = runs_of(read_suite(suite()), [7], Path('out'), ['a=2', 'b.c=[1,x]'])[1]
    assert run.config.to_dict() == dict(a=2, b=dict(c=[1, 'x']), randomness=dict(seed=7))
    assert isinstance(run.config, Config)
