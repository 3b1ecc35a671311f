"""Describes the machine on which the numbers were measured."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from hicmae_mm.measuring.machine import cores, processor

PACKAGES = ('torch', 'torchvision', 'torchaudio', 'mmengine', 'mmcv', 'opencv-python-headless', 'decord', 'av', 'numpy')


def machine() -> dict[str, Any]:
    """Returns processor, cores, memory, GPU and versions."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        'processor': processor(),
        'cores': cores(),
        'memory_gb': round(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9, 1),
        'gpu': gpu,
        'system': f'{platform.system()} {platform.machine()}, Python {platform.python_version()}',
        'packages': {name: found for name in PACKAGES if (found := installed(name)) is not None},
    }


def installed(package: str) -> str | None:
    """Returns the version of a package, or None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def commit(root: Path) -> str | None:
    """Returns the abbreviated commit of a checkout, with ``+`` where files differ from it, or None outside of one."""

    def git(*arguments: str) -> str:
        done = subprocess.run(['git', '-C', str(root), *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        return git('rev-parse', '--short', 'HEAD') + ('+' if git('status', '--porcelain', '-uno') else '')
    except (subprocess.CalledProcessError, FileNotFoundError):
        return None
