"""Import paths of earlier versions."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from hicmae_mm import moved


@pytest.mark.parametrize('old', sorted(moved.MODULES))
def test_old_path_gives_the_module_of_the_new_one(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    new = importlib.import_module(f'hicmae_mm.{moved.MODULES[old]}')
    monkeypatch.delitem(sys.modules, f'hicmae_mm.{old}', raising=False)
    with pytest.warns(DeprecationWarning, match=f'hicmae_mm.{old} has moved to {new.__name__}'):
        assert importlib.import_module(f'hicmae_mm.{old}') is new
    assert new.__spec__.name == new.__name__


@pytest.mark.parametrize(('module', 'name'), [(module, name) for module in moved.NAMES for name in moved.NAMES[module]])
def test_old_name_gives_the_class_of_the_new_module(module: str, name: str) -> None:
    old = importlib.import_module(f'hicmae_mm.{module}')
    version = {'engine.hooks': '0.3', 'models.layers': '0.4'}[module]
    with pytest.warns(DeprecationWarning, match=rf'hicmae_mm.{module}.{name} has moved .* in version {version}'):
        kind = getattr(old, name)
    assert kind.__module__.startswith(f'hicmae_mm.{moved.NAMES[module][name]}')
    with pytest.raises(AttributeError, match='no attribute'):
        old.NoSuchName  # noqa: B018


@pytest.mark.slow
def test_a_program_of_version_0_1_runs_and_is_warned() -> None:
    program = (
        'from hicmae_mm.utils.checkpoint import read_checkpoint\n'
        'from hicmae_mm.utils.benchmark.timing import seconds_per_call\n'
        'from hicmae_mm.utils import media\n'
        'from hicmae_mm.engine.hooks import SaveFeaturesHook\n'
        'print(read_checkpoint.__module__, seconds_per_call.__module__, media.__name__, SaveFeaturesHook.__module__)\n'
    )
    command = [sys.executable, '-W', 'default::DeprecationWarning:__main__', '-c', program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    expected = 'checkpoints.loading measuring.timing datasets.writers features.hook'
    assert done.stdout.split() == [f'hicmae_mm.{name}' for name in expected.split()]
