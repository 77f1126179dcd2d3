"""A tool ends in a line that names the option as it was typed."""

import errno

import mmvitkd  # noqa: F401
from mmvitkd.utils.cli import exit_on_error, exit_on_folder_error, format_error
from mmvitkd.utils.errors import KeyedFileNotFoundError, KeyedValueError
from mmvitkd.utils.folder_lock import FolderInUseError

import pytest

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


def test_without_options_the_message_stays():
    with pytest.raises(SystemExit, match=r'^train: model: none$'), exit_on_error('train'):
        raise KeyedValueError('{model}: none', 'model')


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
        (FolderInUseError('work_dir is in use'), 'work_dir is in use'),
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
