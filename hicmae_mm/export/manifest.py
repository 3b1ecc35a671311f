"""``model.json``: what stands beside an exported model and says how to feed it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from hicmae_mm.config.plain_text import config_from_text
from hicmae_mm.utils.files import read_regular, write_text

MANIFEST = 'model.json'
FORMAT_VERSION = 1
MODEL_FILES = {'onnx': 'model.onnx', 'torch-export': 'model.pt2'}
_PARTIAL = '.partial'
_MOST_BYTES = 1 << 24  # of a description, which holds a config


@dataclass(frozen=True)
class Manifest:
    """Facts about an exported model.

    Attributes:
        format: ``'onnx'`` or ``'torch-export'``.
        file: Name of the model's file in the folder.
        inputs: By stream, in the model's order: ``shape`` without the batch, ``mean`` and ``std`` (of pixels 0..255, of
            log energies), and how the test pipeline reads the stream (:mod:`hicmae_mm.export.reading`).
        outputs: By name: ``kind`` (``'probabilities'`` or ``'values'``) and ``names`` of the columns.
        config: The resolved config as text.
        batch_size: Views per call; None: any number.
        precision: ``'float32'`` or ``'int8'`` (weights and activations of matrix products).
        opset: ONNX opset; None without ONNX.
        window_seconds: How much time one view covers; None if the pipeline does not tell.
        max_difference: Largest difference from the eager model that was found; None: not checked.
        checkpoint: ``file`` and ``sha256`` of the weights' source.
        versions: Of the packages that wrote the model.
        format_version: Of this description.
    """

    format: str
    file: str
    inputs: Mapping[str, Mapping[str, Any]]
    outputs: Mapping[str, Mapping[str, Any]]
    config: str
    batch_size: int | None = None
    precision: str = 'float32'
    opset: int | None = None
    window_seconds: float | None = None
    max_difference: float | None = None
    checkpoint: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; empty for a model of values."""
        return tuple(next((part['names'] for part in self.outputs.values() if part['kind'] == 'probabilities'), ()))

    @property
    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each stream without the batch."""
        return {name: tuple(part['shape']) for name, part in self.inputs.items()}

    def load_config(self) -> Config:
        """The resolved config, read without running it.

        Its text is in alphabetical order; the encoders stand in the model's own order again, on which the columns of
        the head's weights depend.
        """
        cfg = config_from_text(self.config)
        encoders = cfg.model.encoders
        cfg.model['encoders'] = {name: encoders[name] for name in self.inputs}
        return cfg

    def write(self, folder: Path) -> None:
        """Writes ``model.json``."""
        content = asdict(self) | {'classes': list(self.classes)}
        write_text(folder / MANIFEST, json.dumps(content, indent=2) + '\n')


def read_manifest(folder: str | Path) -> Manifest:
    """Reads ``model.json`` of an exported folder.

    Raises:
        FileNotFoundError: No such folder, or it holds no exported model.
        ValueError: The description is damaged, or of a later version.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} does not exist: expected a folder that tools/export.py has written'
            f'{"" if Path(folder).is_dir() else " (there is no such folder)"}'
        )
    try:
        content = json.loads(read_regular(path, _MOST_BYTES))
        version = content['format_version']
        if not _is_count(version):
            raise ValueError(f'format_version is {str(version)[:40]}, expected a number from 1 on')
        if version > FORMAT_VERSION:
            raise ValueError(f'format_version {str(version)[:40]} is of a later hicmae_mm')
        content.pop('classes', None)
        manifest = Manifest(**content)
        _check(manifest)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f'{path} does not describe an exported model ({error}); export it anew') from error
    if not (path.parent / manifest.file).is_file():
        raise FileNotFoundError(f'{path.parent / manifest.file} does not exist, which {MANIFEST} names; export it anew')
    return manifest


def _check(manifest: Manifest) -> None:
    """Raises an error for a description that does not hold together; ``file`` must lie in its folder."""
    if manifest.format not in MODEL_FILES or manifest.file != MODEL_FILES[manifest.format]:
        raise ValueError(
            f'file {str(manifest.file)[:80]!r} of format {str(manifest.format)[:80]!r} is none of an export'
        )
    for part in manifest.outputs.values():
        if part['kind'] not in ('probabilities', 'values') or not all(isinstance(name, str) for name in part['names']):
            raise ValueError('an output is described wrongly')
    if not all(_is_count(size) for shape in manifest.input_shapes.values() for size in shape):
        raise ValueError('the shape of an input is no list of sizes')
    if not isinstance(manifest.config, str):
        raise ValueError('its config is no text')
    if manifest.batch_size is not None and not _is_count(manifest.batch_size):
        raise ValueError(f'batch_size is {str(manifest.batch_size)[:40]}, expected a number from 1 on, or null')


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Gives a folder to write to, and moves its files to ``folder`` once all are there.

    ``model.json`` goes last, and that of an earlier export first: what has a ``model.json`` is whole at every moment. A
    process that dies leaves a ``.partial`` folder, which the next one clears. Of a failure nothing is left.
    """
    is_new = not folder.exists()
    partial = folder / _PARTIAL
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        (folder / MANIFEST).unlink(missing_ok=True)
        for stem in MODEL_FILES.values():
            for name in (stem, f'{stem}.data'):
                (folder / name).unlink(missing_ok=True)
        for file in sorted(partial.iterdir(), key=lambda path: path.name == MANIFEST):
            file.replace(folder / file.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if is_new and not any(folder.iterdir()):
            folder.rmdir()
