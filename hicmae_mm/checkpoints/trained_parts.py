"""Checkpoints that hold the trained parameters only, and refer to the weights that they belong to by their hash.

The weights that were not trained are called the base. A checkpoint of trained parts stores the hash of every entry of
its base, and the file that the base came from. The hash is that of the values, so the base may be stored in any format,
under any name. When such a checkpoint is read, its base is read with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hicmae_mm.models.adapters import is_adapter_weight, stored_name

BASE = 'base'  # key of the record in the meta data
_DIGITS = 32
_Reader = Callable[[str], Mapping[str, Tensor]]


@dataclass
class LoadedWeights:
    """Records what a model got from files before its training.

    Attributes:
        names: Names of the loaded entries.
        sources: Paths of the files.
    """

    names: set[str] = field(default_factory=set)
    sources: list[str] = field(default_factory=list)

    def add(self, filename: str, checkpoint: Mapping[str, Any], names: Iterable[str], is_resumed: bool) -> None:
        """Notes that entries of a model were loaded from a checkpoint.

        A training that is resumed from trained parts has the base of these, and not the resumed checkpoint itself.
        """
        record = base_of(checkpoint, filename)
        self.names |= set(names)
        self.sources += [] if is_resumed and record is not None else [filename]
        self.sources += [] if record is None else record['sources']


def trained_names(model: nn.Module, entries: Iterable[str]) -> set[str]:
    """Returns the names of those entries of a model's state dict that a training changes.

    These are the parameters that require a gradient, and the buffers of modules that are in training mode while the
    model trains.
    """
    mode = model.training
    model.train()
    names = {name for name, value in model.named_parameters(remove_duplicate=False) if value.requires_grad}
    for part_name, part in model.named_modules(remove_duplicate=False):
        if part.training:
            names |= {f'{part_name}.{name}'.lstrip('.') for name, _ in part.named_buffers(recurse=False)}
    model.train(mode)
    return {stored_name(name) for name in names} & set(entries)


def describe_base(state: Mapping[str, Tensor], trained: Iterable[str], sources: Iterable[str]) -> dict[str, Any]:
    """Makes the record of a base.

    Args:
        state: All weights of the model.
        trained: Names of those that are trained.
        sources: Files that hold the others.

    Returns:
        ``entries`` has the names of all weights in their order, with the hash of those that are not trained, and
        ``sha256`` is the hash of the hashes.
    """
    left_out = set(trained)
    entries = {name: '' if name in left_out else value_sha256(value) for name, value in state.items()}
    return {'sha256': _total(entries), 'entries': entries, 'sources': list(dict.fromkeys(map(str, sources)))}


def _total(entries: Mapping[str, str]) -> str:
    hashes = {name: value for name, value in entries.items() if value}
    return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()


def value_sha256(value: Tensor) -> str:
    """Hashes shape and values; floating point numbers are hashed as float32, whatever their type."""
    plain = value.detach().cpu().contiguous()
    plain = plain.float() if plain.is_floating_point() else plain.to(torch.int64)
    digest = hashlib.sha256(str(tuple(plain.shape)).encode())
    digest.update(plain.flatten().numpy().data)
    return digest.hexdigest()[:_DIGITS]


def keep_trained(checkpoint: dict[str, Any], record: Mapping[str, Any]) -> None:
    """Removes the base from a checkpoint, and from its moving average, and adds the record of the base."""
    entries = record['entries']
    state = checkpoint['state_dict']
    checkpoint['state_dict'] = {name: value for name, value in state.items() if not entries.get(name)}
    average = checkpoint.get('ema_state_dict')
    if average is not None:
        kept = {name: value for name, value in average.items() if not entries.get(name.removeprefix('module.'))}
        checkpoint['ema_state_dict'] = kept
    checkpoint['meta'] = {**checkpoint['meta'], BASE: dict(record)}


def base_of(checkpoint: Mapping[str, Any], source: str) -> dict[str, Any] | None:
    """Returns the record of a checkpoint's base; None if the checkpoint is whole.

    Raises:
        ValueError: If the record is damaged.
    """
    record = (checkpoint.get('meta') or {}).get(BASE)
    if record is None:
        return None
    entries = record.get('entries') if isinstance(record, Mapping) else None
    sources = record.get('sources') if isinstance(record, Mapping) else None
    is_valid = (
        isinstance(entries, Mapping)
        and isinstance(sources, (list, tuple))
        and all(isinstance(text, str) for text in (*entries, *entries.values(), *sources))
        and record.get('sha256') == _total(entries)
    )
    if not is_valid:
        raise ValueError(f'{source!r}: the record of the weights that it belongs to (meta.{BASE}) is damaged')
    return dict(record)


def complete(checkpoint: dict[str, Any], source: str, read: _Reader, model: nn.Module | None = None) -> dict[str, Any]:
    """Adds its base to a checkpoint of trained parts. A whole checkpoint is returned unchanged.

    Args:
        checkpoint: The checkpoint.
        source: Its path or address.
        read: Reads the weights of a file.
        model: A model whose own weights are the base, if they have the right hashes.

    Returns:
        The checkpoint with all weights in the order of the model.

    Raises:
        ValueError: If the base was not found, or has other values. The message names its file and its hash.
    """
    record = base_of(checkpoint, source)
    state: Mapping[str, Tensor] = checkpoint['state_dict']
    if record is None:
        return checkpoint
    wanted = {name: value for name, value in record['entries'].items() if value and name not in state}
    found: dict[str, Tensor] = {}
    searched = []
    for path in _places(record['sources'], source):
        if len(found) == len(wanted):
            break
        searched.append(path)
        found |= _matching(read(path), wanted)
    if len(found) < len(wanted) and model is not None:
        found |= _matching(model.state_dict(), wanted)
    if len(found) < len(wanted):
        raise ValueError(_not_found(record, source, searched, [name for name in wanted if name not in found]))
    whole = {name: state[name] if name in state else found[name] for name in record['entries']}
    completed = {**checkpoint, 'state_dict': {**whole, **{k: v for k, v in state.items() if k not in whole}}}
    if 'ema_state_dict' in checkpoint:
        base = {f'module.{name}': value for name, value in found.items()}
        completed['ema_state_dict'] = {**checkpoint['ema_state_dict'], **base}
    return completed


def refuse_adapters(names: Iterable[str], source: str) -> None:
    """Raises ValueError if weights contain adapters, which other implementations do not have."""
    found = [name for name in names if is_adapter_weight(name)]
    if found:
        raise ValueError(
            f'{source!r} holds adapters, such as {found[0]!r}: merge LoRA by '
            'tools/model_converters/merge_adapters.py first'
        )


def _places(sources: Iterable[str], checkpoint: str) -> Iterator[str]:
    """Yields the files that exist: as the training named them, or of the same name beside the checkpoint."""
    for source in sources:
        if '://' in source:
            yield source
            continue
        beside = [] if '://' in checkpoint else [Path(checkpoint).expanduser().parent / Path(source).name]
        for path in dict.fromkeys([*beside, Path(source).expanduser()]):
            if path.is_file():
                yield str(path)


def _matching(state: Mapping[str, Tensor], wanted: Mapping[str, str]) -> dict[str, Tensor]:
    return {name: state[name] for name, value in wanted.items() if name in state and value_sha256(state[name]) == value}


def _not_found(record: Mapping[str, Any], source: str, searched: list[str], missing: list[str]) -> str:
    names = ' and '.join(Path(name).name if '://' not in name else name for name in record['sources'])
    problem = (
        f'{", ".join(map(repr, searched))} has other values in {missing[0]} and {len(missing) - 1} more'
        if searched
        else 'no such file is beside it or where it was during the training'
    )
    return (
        f'{source!r} holds the trained parameters only. They belong to the weights of {names or "the model"} (hash '
        f'{record["sha256"][:8]}), and {problem}. Put the right file beside the checkpoint'
    )
