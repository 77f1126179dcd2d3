"""Values of environment variables are used, and nowhere written."""

import ast
import json

import mmvitkd  # noqa: F401
from mmvitkd.config.env_values import masked
from mmvitkd.config.load_config import load_config
from mmvitkd.export.run_match import is_of_another_run
from mmvitkd.utils.errors import KeyedValueError

import pytest
from logged import logged
from mmengine.config import Config
from mmengine.visualization import Visualizer

SECRET = 'a-secret-of-forty-characters-0123456789'


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Load the text of a config with environment variables."""

    def load(text, name='config.py', **variables):
        for key, value in variables.items():
            monkeypatch.setenv(key, value)
        (tmp_path / name).write_text(text)
        return Config.fromfile(tmp_path / name)

    return load


def test_the_value_is_used_and_its_name_is_written(load, tmp_path):
    cfg = load("init = dict(api_key='{{$SERVICE:}}', n=3)", SERVICE=SECRET)
    assert cfg.init == dict(api_key=SECRET, n=3)
    assert cfg.pretty_text == "init = dict(api_key='{{$SERVICE:}}', n=3)\n"
    assert cfg.dump() == cfg.pretty_text
    for name in ('dump.py', 'dump.json', 'dump.yml'):
        cfg.dump(tmp_path / name)
        assert SECRET not in (tmp_path / name).read_text()
        assert Config.fromfile(tmp_path / name).to_dict() == cfg.to_dict()


def test_a_dump_without_the_variable_names_it(load, tmp_path, monkeypatch):
    load("key = '{{$SERVICE:default}}'", SERVICE=SECRET).dump(tmp_path / 'dump.py')
    monkeypatch.delenv('SERVICE')
    with pytest.raises(KeyedValueError, match='SERVICE: this environment variable is not set'):
        load_config(str(tmp_path / 'dump.py'))


def test_a_default_is_written(load):
    cfg = load("root = '{{$NOT_SET:/data(1)}}/x'")
    assert (cfg.root, cfg.env_variables) == ('/data(1)/x', {})
    assert cfg.pretty_text == "root = '/data(1)/x'\n"


def test_the_log_names_the_variable_alone(load):
    with logged() as lines:
        load("key = '{{$SERVICE:}}'", SERVICE=SECRET)
    assert any('SERVICE' in line for line in lines)
    assert SECRET not in str(lines)


def test_parts_of_strings_in_every_place(load):
    cfg = load(
        "url = 'https://user:{{$SERVICE:}}@host'\n"
        "parts = [dict(a=('{{$ROOT:/data}}/train', url + '/x'))]\n"
        "root = '{{$ROOT:/data}}'\n",
        SERVICE=SECRET,
        ROOT='/home/somebody',
    )
    assert cfg.url == f'https://user:{SECRET}@host'
    text = cfg.pretty_text
    assert "'https://user:{{$SERVICE:}}@host'" in text
    assert "'{{$ROOT:}}/train'" in text and "'https://user:{{$SERVICE:}}@host/x'" in text
    assert SECRET not in text and 'somebody' not in text


def test_numbers_and_what_merely_looks_alike_stay(load):
    text = "batch = {{'$BATCH:32'}}\nname = 'run_2048'\nkind = 'xbeex'\nlr = {{'$LR:1e-3'}}\n"
    cfg = load(
        text + "only = '{{$BATCH:1}}'\nbee = 'a-{{$BEE:}}'\n",
        BATCH='2048',
        BEE='bee',
        LR='1e-2',
    )
    assert (cfg.batch, cfg.lr) == (2048, 0.01)
    assert Config.fromstring(cfg.pretty_text, '.py').to_dict() == cfg.to_dict()
    for line in ('batch = 2048', "name = 'run_2048'", "kind = 'xbeex'", "only = '{{$BATCH:}}'"):
        assert line in cfg.pretty_text.splitlines()


def test_short_values_within_strings_are_masked_as_words(load):
    cfg = load("url = 'u:{{$PIN:}}@host'\nother = 'abc-pass1x'", PIN='pass1')
    assert cfg.pretty_text == "other = 'abc-pass1x'\nurl = 'u:{{$PIN:}}@host'\n"


@pytest.mark.parametrize(
    'value', ["it's", 'say "so"', 'a\\b\\1', 'two\nlines', '{{$HOME:}}', 'é']
)
@pytest.mark.parametrize('quote', ["'", '"'])
def test_any_value_can_be_read_and_read_again(load, value, quote):
    cfg = load(f'key = {quote}x {{{{$SERVICE:}}}}{quote}', SERVICE=value)
    assert cfg.key == f'x {value}'
    assert Config.fromstring(cfg.pretty_text, '.py').key == cfg.key


def test_a_base_reads_and_the_file_inherits(load, tmp_path):
    (tmp_path / 'base.py').write_text("key = '{{$SERVICE:}}'\n")
    text = "_base_ = './base.py'\nwhole = dict(key={{_base_.key}}, other='{{$OTHER:}}')\n"
    cfg = load(text, SERVICE=SECRET, OTHER='another-secret')
    assert cfg.whole == dict(key=SECRET, other='another-secret')
    assert cfg.pretty_text.splitlines() == [
        "key = '{{$SERVICE:}}'",
        "whole = dict(key='{{$SERVICE:}}', other='{{$OTHER:}}')",
    ]


def test_a_secret_that_python_reads_is_masked_by_its_name(load):
    text = "_base_ = []\nimport os\nkey = os.environ['SOME_API_KEY']\n"
    cfg = load(text, SOME_API_KEY=SECRET)
    assert cfg.key == SECRET
    assert cfg.pretty_text == "key = '{{$SOME_API_KEY:}}'\n"


def test_a_masked_config_is_masked_again_without_change(load):
    cfg = load("root = '{{$DATA_ROOT:}}'", DATA_ROOT='ROOT')
    assert (
        masked(masked(cfg)).to_dict() == masked(cfg).to_dict() == dict(root='{{$DATA_ROOT:}}')
    )
    assert cfg.root == 'ROOT'  # unchanged


def test_visualizers_get_the_masked_config(load, tmp_path):
    cfg = load("key = '{{$SERVICE:}}'", SERVICE=SECRET)
    backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
    visualizer = Visualizer(vis_backends=backends, save_dir=str(tmp_path / 'vis'))
    seen = []
    visualizer._vis_backends['other'] = type('Other', (), {'add_config': seen.append})
    visualizer.add_config(cfg)
    assert json.dumps([config.to_dict() for config in seen]) == '[{"key": "{{$SERVICE:}}"}]'
    del visualizer._vis_backends['other']
    visualizer.close()
    files = [path for path in (tmp_path / 'vis').rglob('*') if path.is_file()]
    assert len(files) == 2 and not any(SECRET.encode() in f.read_bytes() for f in files)


def test_runs_with_other_values_are_of_one_config(load):
    cfg = load("model = dict(type='A', key='{{$SERVICE:}}')", SERVICE=SECRET)
    recorded = dict(meta=dict(cfg=cfg.pretty_text))
    ast.parse(cfg.pretty_text)
    assert not is_of_another_run(cfg, recorded)
