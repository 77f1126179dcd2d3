"""A tool ends in a line that names the option as it was typed."""

import errno

import mmvitkd  # noqa: F401
from mmvitkd.utils.cli import (
    exit_on_error,
    exit_on_folder_error,
    exit_on_setting_error,
    format_error,
    print_left_out,
)
from mmvitkd.utils.errors import KeyedFileNotFoundError, KeyedValueError
from mmvitkd.utils.folder_lock import FolderInUseError

import pytest
from mmengine.logging import MMLogger
from mmpretrain.registry import MODELS

OPTIONS = {
    'model': 'MODEL',
    'checkpoint': '--checkpoint',
    'allow_random': '--allow-random',
    'memory_limit': '--memory-limit',
}


@pytest.mark.parametrize(
    ('error', 'typed'),
    [
        (KeyedValueError('{memory_limit}: found 1', 'memory_limit'), '--memory-limit: found 1'),
        (
            KeyedFileNotFoundError("{checkpoint}='a' for {model}='b'", 'checkpoint', 'model'),
            "--checkpoint='a' for MODEL='b'",
        ),
        (
            KeyedValueError('{model}: set {allow_random}=True', 'model', 'allow_random'),
            'MODEL: set --allow-random',
        ),
        (OSError('/a/checkpoint=3: no such file'), '/a/checkpoint=3: no such file'),
    ],
)
def test_settings_become_options(error, typed):
    assert format_error(error, OPTIONS) == typed


@pytest.mark.parametrize(
    ('error', 'line'),
    [
        (KeyboardInterrupt(), 'tool: interrupted'),
        (KeyedValueError('{model}: none', 'model'), 'tool: MODEL: none'),
        (OSError('no folder'), 'tool: no folder'),
        (
            RuntimeError('DataLoader worker (pid 7) is killed by signal: Killed. '),
            r'tool: DataLoader worker \(pid 7\) .*Killed; .* --workers',
        ),
    ],
)
def test_what_a_user_can_fix_ends_in_one_line(error, line):
    with pytest.raises(SystemExit, match=f'^{line}'), exit_on_error('tool', OPTIONS):
        raise error


def users_own(code, **names):
    """Run code as that of a user's own module."""
    exec(code, {'__name__': 'users_own', **names})


def refuse(error=ValueError):
    """Raise an error as a check of mmvitkd does."""
    exec('raise error("a setting\\nis wrong")', {'__name__': 'mmvitkd.check', 'error': error})


@pytest.mark.parametrize('error', [ValueError, FileNotFoundError])
def test_a_check_ends_a_run_in_one_line(error):
    with (
        pytest.raises(SystemExit, match=r'^train: a setting is wrong'),
        exit_on_setting_error('train'),
    ):
        refuse(error)


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(type='NoSuchModel'), '^train: NoSuchModel is not in the'),
        (dict(type='mmvitkd.FeatureMSELoss', wrong=1), "^train: .*argument 'wrong'"),
        (dict(), '^train: .* must contain the key "type"'),
    ],
)
@pytest.mark.parametrize('exits', [exit_on_error, exit_on_setting_error])
def test_a_wrong_type_or_argument_in_a_config_ends_in_one_line(config, message, exits):
    with pytest.raises(SystemExit, match=message), exits('train'):
        MODELS.build(config)


def test_errors_of_a_users_own_code_keep_their_traceback():
    with pytest.raises(ValueError, match='mine'), exit_on_setting_error('train'):
        users_own('raise ValueError("mine")')
    with pytest.raises(ValueError, match='a setting'), exit_on_setting_error('train'):
        users_own('refuse()', refuse=refuse)  # it may have passed something wrong on
    with pytest.raises(RuntimeError), exit_on_setting_error('train'):
        refuse(RuntimeError)


def test_a_named_setting_is_wrong_wherever_it_was_found():
    error = KeyedValueError('{ema}: none', 'ema')
    with (
        pytest.raises(SystemExit, match=r'^test: --ema: none'),
        exit_on_setting_error('test', {'ema': '--ema'}),
    ):
        users_own('raise error', error=error)


@pytest.mark.parametrize('exits', [exit_on_error, exit_on_setting_error])
def test_the_traceback_can_be_had(exits, monkeypatch):
    monkeypatch.setenv('MMVITKD_TRACEBACK', '1')
    with pytest.raises(ValueError, match='a setting'), exits('tool'):
        refuse()


def test_the_log_of_the_run_has_the_traceback(tmp_path):
    logger = MMLogger.get_instance('test_cli', log_file=str(tmp_path / 'run.log'))
    with pytest.raises(SystemExit) as ended, exit_on_setting_error('train'):
        refuse()
    assert str(tmp_path / 'run.log') in str(ended.value)
    assert 'Traceback (most recent call last)' in (tmp_path / 'run.log').read_text()
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


def test_without_options_the_message_stays():
    with pytest.raises(SystemExit, match=r'^train: model: none$'), exit_on_error('train'):
        raise KeyedValueError('{model}: none', 'model')


def test_what_is_left_out_is_printed_whatever_its_name(capsys):
    print_left_out({'b\udce9.png': 'the file is empty', 'a\n.png': 'it cannot be decoded'})
    first, second = capsys.readouterr().out.splitlines()
    assert first == r'left out, as it cannot be read: a\n.png: it cannot be decoded'
    assert second == r'left out, as it cannot be read: b\udce9.png: the file is empty'


@pytest.mark.parametrize('error', [RuntimeError('other'), KeyError('x')])
def test_other_errors_keep_their_traceback(error):
    with pytest.raises(type(error)), exit_on_error('tool', OPTIONS):
        raise error


@pytest.mark.parametrize(
    ('error', 'line'),
    [
        (
            OSError(errno.ENOSPC, 'No space left', 'w/epoch_1.pth'),
            "No space left: 'w/epoch_1.pth'",
        ),
        (OSError(errno.EDQUOT, 'Quota exceeded'), "Quota exceeded: 'work_dir'"),
        (FolderInUseError('work_dir is in use', {}), 'work_dir is in use'),
    ],
)
def test_a_folder_that_is_full_or_in_use_ends_a_tool_in_a_line(error, line):
    with pytest.raises(SystemExit) as end, exit_on_folder_error('train', 'work_dir'):
        raise error
    assert end.value.code.startswith('train: ') and line in end.value.code
    assert '\n' not in end.value.code


def test_an_error_of_the_code_keeps_its_traceback():
    with pytest.raises(ValueError, match='a bug'), exit_on_folder_error('train', 'work_dir'):
        raise ValueError('a bug')
