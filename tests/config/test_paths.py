from __future__ import annotations

from pathlib import Path

import pytest

from hicmae_mm.config import paths

CHECKOUT = Path(__file__).resolve().parents[2]


def test_checkout_folders_are_used_when_there_is_no_installed_copy() -> None:
    assert paths.configs_root() == CHECKOUT / 'configs'
    assert paths.tools_root() == CHECKOUT / 'tools'


def test_installed_copy_wins_over_a_neighbour_of_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / 'site-packages' / 'hicmae_mm'
    (package / '.mim' / 'tools').mkdir(parents=True)
    (package.parent / 'tools').mkdir()
    monkeypatch.setattr(paths, 'PACKAGE', package)
    assert paths.tools_root() == package / '.mim' / 'tools'


def test_incomplete_installation_names_folder_and_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, 'PACKAGE', tmp_path / 'hicmae_mm')
    with pytest.raises(FileNotFoundError, match=r"'configs'.*pip install"):
        paths.configs_root()
