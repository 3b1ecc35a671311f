"""Names of classes and functions in pickles."""

from __future__ import annotations

import fractions
import os
import pickle
from pathlib import Path

import pytest

from hicmae_mm.checkpoints.files import read_file
from hicmae_mm.checkpoints.pickle_names import asked_names


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ('touch never',)


@pytest.mark.parametrize('protocol', range(6))
def test_names_are_found_in_every_protocol(protocol: int) -> None:
    content = pickle.dumps([fractions.Fraction(1, 3), _Evil(), _Evil()], protocol=protocol)

    names = asked_names(content)

    assert 'fractions.Fraction' in names
    assert f'{os.name}.system' in names
    assert len(names) == len(set(names))
    assert asked_names(content[: len(content) // 2]) in [names[:count] for count in range(len(names) + 1)]


@pytest.mark.parametrize('protocol', [0, 2, 4, 5])
def test_a_plain_pickle_in_place_of_a_checkpoint_is_refused_by_name(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / 'evil.pth'
    path.write_bytes(pickle.dumps({'weights': _Evil()}, protocol=protocol))

    with pytest.raises(ValueError, match=rf'evil.pth.*{os.name}\.system') as error:
        read_file(path)

    assert 'KeyError' not in str(error.value)
    assert not Path('never').exists()
