from __future__ import annotations

import io
import logging
import warnings
from pathlib import Path

import pytest

from hicmae_mm.engine.logging import raise_log_errors, shorten_console, silence_known_warnings


def test_listings_go_to_the_file_only(tmp_path: Path) -> None:
    console, path = io.StringIO(), tmp_path / 'run.log'
    logger = logging.Logger('listing', logging.INFO)
    logger.addHandler(logging.StreamHandler(console))
    logger.addHandler(logging.FileHandler(path))
    shorten_console(logger)
    logger.info('Config:\nmodel = dict()')
    logger.warning('"FileClient" will be deprecated in future.')
    logger.info('Epoch(train) loss: 0.1')
    logger.warning('Config value is odd')
    assert console.getvalue().splitlines() == ['Epoch(train) loss: 0.1', 'Config value is odd']
    assert len(path.read_text().splitlines()) == 5


def test_only_known_warnings_are_silenced() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        silence_known_warnings()
        warnings.warn('`torch.cuda.amp.GradScaler(args...)` is deprecated.', FutureWarning, stacklevel=1)
        assert caught == []
        warnings.warn('something else', FutureWarning, stacklevel=1)
        assert [str(entry.message) for entry in caught] == ['something else']


@pytest.mark.parametrize('text', ['Saving checkpoint at 1 epochs', 'UAR: 0.5'])
def test_ordinary_lines_pass(text: str) -> None:
    console = io.StringIO()
    logger = logging.Logger('lines', logging.INFO)
    logger.addHandler(logging.StreamHandler(console))
    shorten_console(logger)
    logger.info(text)
    assert console.getvalue() == text + '\n'


def test_a_log_file_on_a_full_disk_ends_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.Logger('full')
    logger.addHandler(logging.FileHandler('/dev/full'))
    raise_log_errors(logger)
    with pytest.raises(OSError, match='No space left') as caught:
        logger.error('text')
    assert caught.value.filename == '/dev/full'
    logger.handlers[0].stream = logging.StreamHandler().stream
    logger.error('%d numbers', 'no')  # a mistake in a program is still printed
    assert 'TypeError' in capsys.readouterr().err
