"""Before the first epoch the screen has what is meant for it; the file has everything."""

import mmvitkd  # noqa: F401
from mmvitkd.engine.logging.screen import open_screen, quiet
from mmvitkd.utils.on_screen import OnScreen

import pytest
from mmengine.logging import MMLogger


@pytest.fixture
def log(tmp_path, capsys):
    """Log by a function of a logger; return what is on the screen and what is in the file."""

    def log(*steps):
        logger = MMLogger.get_instance(str(tmp_path), log_file=str(tmp_path / 'run.log'))
        quiet(logger)
        for step in steps:
            step(logger)
        return capsys.readouterr().out, (tmp_path / 'run.log').read_text()

    return log


def test_details_are_in_the_file_alone(log):
    screen, file = log(
        lambda logger: logger.info('Config: ...'),
        lambda logger: logger.info(OnScreen('Student: ...')),
    )
    assert 'Student: ...' in screen and 'Config: ...' not in screen
    assert 'Student: ...' in file and 'Config: ...' in file


def test_warnings_stay_but_those_of_packages_about_themselves(log):
    screen, file = log(
        lambda logger: logger.warning('the teacher is at chance level'),
        lambda logger: logger.warning('"FileClient" will be deprecated in future.'),
    )
    assert 'chance level' in screen and 'FileClient' not in screen
    assert 'chance level' in file and 'FileClient' in file


def test_everything_once_training_has_started(log):
    screen, file = log(
        open_screen,
        lambda logger: logger.info('Epoch(train) [1]'),
        lambda logger: logger.info('Exp name: run'),
    )
    assert 'Epoch(train)' in screen and 'Exp name' not in screen
    assert 'Exp name' in file


def test_a_second_time_changes_nothing(log):
    screen, _ = log(quiet, open_screen, lambda logger: logger.info('Epoch(train) [1]'))
    assert screen.count('Epoch(train)') == 1
