"""Finds the configs and tools of the package, in a checkout or in an installed wheel."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def configs_root() -> Path:
    """Returns the folder of the shipped configs.

    Raises:
        FileNotFoundError: If the installation is incomplete.

    Example:
        >>> (configs_root() / 'hicmae_base_cremad.py').is_file()
        True
    """
    return _shipped_folder('configs')


def tools_root() -> Path:
    """Returns the folder of the shipped command-line tools.

    Raises:
        FileNotFoundError: If the installation is incomplete.
    """
    return _shipped_folder('tools')


def _shipped_folder(name: str) -> Path:
    # the copy of a wheel comes first, because a folder `tools` in site-packages would belong to another package
    candidates = (PACKAGE / '.mim' / name, PACKAGE.parent / name)
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(
        f'no folder {name!r} in this installation of hicmae_mm (looked at {", ".join(map(str, candidates))}); '
        'reinstall it with `pip install .` or `pip install -e .` from a checkout'
    )
