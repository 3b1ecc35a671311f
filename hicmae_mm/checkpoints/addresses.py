"""Reads checkpoints from addresses, and registers safe loaders with MMEngine."""

from __future__ import annotations

import contextlib
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.runner.checkpoint import CheckpointLoader

from hicmae_mm.checkpoints.downloads import download
from hicmae_mm.checkpoints.files import read_file


def allow_training_checkpoints() -> None:
    """Makes MMEngine read local and web checkpoints with the safe functions of this package. It may be called again.

    ``init_cfg=dict(type='Pretrained', checkpoint=...)`` then uses them, too.
    """

    def load_from_local(filename: str, map_location: Any = None) -> Any:
        return read_file(Path(filename).expanduser(), map_location)

    def load_from_web(filename: str, map_location: Any = None, **_: Any) -> Any:
        return read_file(download(filename), map_location)

    CheckpointLoader.register_scheme('', load_from_local, force=True)
    CheckpointLoader.register_scheme(['http://', 'https://'], load_from_web, force=True)


def read_address(address: str, map_location: Any) -> Any:
    """Reads a checkpoint with MMEngine's ``CheckpointLoader`` from an address such as ``s3://`` or ``openmmlab://``.

    Args:
        address: Address of the checkpoint.
        map_location: The argument of ``torch.load``.

    Raises:
        ValueError: If the checkpoint contains objects that are not allowed.
    """
    allow_training_checkpoints()
    try:
        with weights_only():
            return CheckpointLoader.load_checkpoint(address, map_location=map_location)
    except pickle.UnpicklingError as error:
        raise ValueError(f'{address!r} is not a checkpoint that can be read safely ({error})') from error


@contextlib.contextmanager
def weights_only() -> Iterator[None]:
    """Forces ``torch.load(weights_only=True)`` within the block, also for downloads by ``torch.hub``."""
    name = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
    before = os.environ.get(name)
    os.environ[name] = '1'
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before
