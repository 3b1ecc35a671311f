"""Where the package's configs and tools lie: in the checkout, or inside an installed wheel."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def configs_root() -> Path:
    """Folder of the shipped configs, e.g. for ``configs_root() / 'hicmae_base_cremad.py'``.

    Raises:
        FileNotFoundError: The installation is incomplete.
    """
    return _shipped_folder('configs')


def tools_root() -> Path:
    """Folder of the shipped command-line tools.

    Raises:
        FileNotFoundError: The installation is incomplete.
    """
    return _shipped_folder('tools')


def _shipped_folder(name: str) -> Path:
    # a wheel's copy first: beside an installed package lies site-packages, whose `tools` would be someone else's
    candidates = (PACKAGE / '.mim' / name, PACKAGE.parent / name)
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(
        f'no folder {name!r} in this installation of hicmae_mm (looked at {", ".join(map(str, candidates))}); '
        'reinstall it with `pip install .` or `pip install -e .` from a checkout'
    )
