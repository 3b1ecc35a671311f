"""Safe reading of checkpoints, and a report of what was loaded into a model and what was not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hicmae_mm.checkpoints.addresses import allow_training_checkpoints, read_address
from hicmae_mm.checkpoints.downloads import download
from hicmae_mm.checkpoints.files import check_is_file, read_file
from hicmae_mm.checkpoints.published_keys import is_published, map_published_keys
from hicmae_mm.checkpoints.weights import check_weights

__all__ = [
    'LoadingReport',
    'allow_training_checkpoints',
    'check_exists',
    'load_weights',
    'read_checkpoint',
    'read_checkpoint_meta',
]


def read_checkpoint(filename: str | Path, map_location: Any = 'cpu', is_trusted: bool = False) -> dict[str, Any]:
    """Reads a checkpoint, without running code from it unless it is trusted.

    Args:
        filename (str): A local file (``.safetensors``, or any other written by ``torch.save``), or an address: of the
            web (kept in PyTorch's cache), or another that MMEngine's ``CheckpointLoader`` understands.
        map_location: As in ``torch.load``.
        is_trusted (bool): Whether the file may run its own code. Defaults to False.

    Returns:
        dict: With the model's weights under ``state_dict``, by this package's names also where the file is one of the
            published HiCMAE implementation.

    Raises:
        FileNotFoundError: The file does not exist, or the address does not answer.
        ValueError: The file is not a checkpoint, holds objects that are not allowed, or is not the one whose hash its
            address names.
    """
    address = str(filename)
    if '://' in address and not address.startswith(('http://', 'https://')):
        return _in_own_names(with_state_dict(read_address(address, map_location), address))
    path = download(address) if '://' in address else Path(filename).expanduser()
    return _in_own_names(with_state_dict(read_file(path, map_location, is_trusted=is_trusted), address))


def _in_own_names(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint of the published implementation under this package's names; any other as it is."""
    state = {name.removeprefix('module.'): value for name, value in checkpoint['state_dict'].items()}
    return {**checkpoint, 'state_dict': map_published_keys(state)} if is_published(state) else checkpoint


def read_checkpoint_meta(filename: str | Path) -> dict[str, Any]:
    """The ``meta`` dictionary of a checkpoint (epoch, iter, seed ...), empty if it has none.

    The tensors of a local file are mapped, not read.
    """
    if '://' in str(filename):
        return dict(read_checkpoint(filename).get('meta', {}))
    checkpoint = read_file(Path(filename).expanduser(), 'cpu', is_mapped=True)
    return dict(_with_weights(checkpoint, str(filename)).get('meta', {}))


def check_exists(filename: str | Path | None) -> None:
    """Raises an error if a checkpoint's name is given, is no address, and no file has it."""
    if filename and '://' not in str(filename):
        check_is_file(Path(filename).expanduser())


def with_state_dict(checkpoint: Any, filename: str) -> dict[str, Any]:
    """Accepts a training checkpoint, a published one (``model`` / ``module``) or a bare dictionary of tensors.

    Raises:
        ValueError: Anything else, or weights that no model can have; see
            :func:`~hicmae_mm.checkpoints.weights.check_weights`.
    """
    found = _with_weights(checkpoint, filename)
    check_weights(found['state_dict'], filename)
    return found


def _with_weights(checkpoint: Any, filename: str) -> dict[str, Any]:
    if isinstance(checkpoint, Mapping):
        if isinstance(checkpoint.get('state_dict'), Mapping):
            if not isinstance(checkpoint.get('meta', {}), Mapping):
                raise ValueError(f"{filename!r} is not a checkpoint: its 'meta' is no dictionary")
            return dict(checkpoint)
        for key in ('model', 'module'):
            if isinstance(checkpoint.get(key), Mapping):
                return {'state_dict': checkpoint[key]}
        if checkpoint and all(isinstance(value, torch.Tensor) for value in checkpoint.values()):
            return {'state_dict': checkpoint}
    found = type(checkpoint).__name__
    if isinstance(checkpoint, Mapping):
        found = str([str(key)[:40] for key in islice(checkpoint, 5)])
    raise ValueError(f"{filename!r} is not a checkpoint: expected a dictionary with 'state_dict', found {found}")


@dataclass
class LoadingReport:
    """Which parameters a checkpoint filled.

    Attributes:
        loaded (list[str]): Names copied from the checkpoint.
        missing (list[str]): Names of the model that the checkpoint lacks; they keep their initial values.
        unexpected (list[str]): Names of the checkpoint that the model lacks.
        mismatched (dict[str, tuple]): Name -> (shape in the checkpoint, shape in the model); not loaded.
    """

    loaded: list[str]
    missing: list[str]
    unexpected: list[str]
    mismatched: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]

    @property
    def is_complete(self) -> bool:
        """Whether every parameter of the model came from the checkpoint."""
        return not self.missing and not self.mismatched

    @property
    def is_suspicious(self) -> bool:
        """Whether more is missing than a new head would explain: another shape, or less than half of the model."""
        return bool(self.mismatched) or len(self.loaded) < len(self.missing)

    def summary(self) -> str:
        """A few lines for the log: numbers, then names grouped by module."""
        total = len(self.loaded) + len(self.missing) + len(self.mismatched)
        lines = [f'{len(self.loaded)} of {total} entries of the model loaded']
        if self.missing:
            lines.append(f'  not in the checkpoint, initial values kept: {_grouped(self.missing)}')
        if self.mismatched:
            shapes = ', '.join(f'{name} {found} (model {own})' for name, (found, own) in self.mismatched.items())
            lines.append(f'  of another shape, initial values kept: {shapes}')
        if self.unexpected:
            lines.append(f'  in the checkpoint, not used: {_grouped(self.unexpected)}')
        return '\n'.join(lines)


def _grouped(names: list[str]) -> str:
    """``['head.fc.weight', 'head.fc.bias']`` -> ``head.fc (2)``, in the order of the model."""
    groups = Counter('.'.join(name.split('.')[:2]) for name in names)
    return ', '.join(f'{group} ({count})' if count > 1 else group for group, count in groups.items())


def load_weights(
    model: nn.Module, state_dict: Mapping[str, torch.Tensor], source: str, require_all: bool = False
) -> LoadingReport:
    """Copies the weights that fit into a model, and says what did not.

    Args:
        model (nn.Module): Changed in place.
        state_dict (dict[str, Tensor]): Names may carry the ``module.`` prefix of a wrapped model.
        source (str): Name of the file, for messages.
        require_all (bool): Whether every parameter of the model must be filled (testing, resuming). Defaults to
            False (fine-tuning from another model).

    Returns:
        LoadingReport: Loaded, missing, unexpected and mismatched names.

    Raises:
        ValueError: Nothing fits, or ``require_all`` and something is missing.
    """
    weights = {name.removeprefix('module.'): value for name, value in state_dict.items()}
    own = model.state_dict()
    for name, value in weights.items():
        if name in own and own[name].is_floating_point() and not value.is_floating_point():
            raise ValueError(f'{source!r} does not fit this model: {name} holds {value.dtype}, expected fractions')
    mismatched = {
        name: (tuple(value.shape), tuple(own[name].shape))
        for name, value in weights.items()
        if name in own and value.shape != own[name].shape
    }
    fitting = {name: value for name, value in weights.items() if name not in mismatched}
    missing, unexpected = model.load_state_dict(fitting, strict=False)
    missing = [name for name in missing if name not in mismatched]
    absent = {*missing, *mismatched}
    report = LoadingReport([name for name in own if name not in absent], missing, list(unexpected), mismatched)
    if own and not report.loaded:
        raise ValueError(
            f'{source!r} is the wrong checkpoint: none of its {len(weights)} entries (such as '
            f'{next(iter(weights), None)!r}) fits this model (such as {next(iter(own))!r}). Encoders of other '
            'projects are fitted by tools/model_converters/encoder_to_mm.py'
        )
    if require_all and not report.is_complete:
        raise ValueError(f'{source!r} does not fill this model{_cause(mismatched)}: {report.summary()}')
    return report


def _cause(mismatched: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]) -> str:
    """What differs, in words, where shapes tell."""
    inner = {name: shapes for name, shapes in mismatched.items() if not name.startswith('head.')}
    for name, (found, own) in inner.items():
        if name.startswith('encoders.') and found[-1] != own[-1] and name.endswith('norm1.weight'):
            return f', which is of another size (it is {found[-1]} wide, the config {own[-1]}): name another config'
    last = mismatched.get('head.fc.weight')
    if last is not None and not inner:
        return f', which has other classes or values ({last[0][0]}, the config {last[1][0]}): name another config'
    return ''
