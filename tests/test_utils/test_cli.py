"""Errors name what was typed."""

import mmvitkd  # noqa: F401
from mmvitkd.utils.cli import exit_on_error, format_error

import pytest

OPTIONS = {
    'model': 'MODEL',
    'checkpoint': '--checkpoint',
    'allow_random': '--allow-random',
    'memory_limit': '--memory-limit',
}


@pytest.mark.parametrize(
    ('message', 'typed'),
    [
        ('memory_limit: found 1 KiB', '--memory-limit: found 1 KiB'),
        ("checkpoint='a' is not for model='b'.", "--checkpoint='a' is not for MODEL='b'."),
        (
            'give checkpoint="FILE", or allow_random=True for a trial',
            'give --checkpoint FILE, or --allow-random for a trial',
        ),
        # A path stays as it is.
        ('/a/checkpoint=3: no such file', '/a/checkpoint=3: no such file'),
    ],
)
def test_arguments_become_options(message, typed):
    assert format_error(message, OPTIONS) == typed


@pytest.mark.parametrize(
    ('error', 'line'),
    [
        (KeyboardInterrupt(), 'tool: interrupted; nothing was written.'),
        (ValueError('memory_limit: none'), 'tool: --memory-limit: none'),
        (OSError('no folder'), 'tool: no folder'),
        (
            RuntimeError('DataLoader worker (pid 7) is killed by signal: Killed. '),
            'tool: DataLoader worker (pid 7) is killed by signal: Killed; nothing was written. '
            'If memory was short, fewer --workers take less.',
        ),
    ],
)
def test_what_a_user_can_mend_is_told_in_a_line(error, line):
    with pytest.raises(SystemExit) as end, exit_on_error('tool', OPTIONS):
        raise error
    assert end.value.code == line


@pytest.mark.parametrize('error', [RuntimeError('other'), KeyError('x')])
def test_other_errors_are_as_they_were(error):
    with pytest.raises(type(error)), exit_on_error('tool', OPTIONS):
        raise error
