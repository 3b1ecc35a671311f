"""Read and write ``model.json``, which describes an exported model and its inputs."""

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
        inputs: Description by stream, in the order of the model: ``shape`` without the batch, ``mean`` and ``std`` (of
            pixels in 0..255, or of log energies), and how the test pipeline reads the stream
            (:mod:`hicmae_mm.export.reading`).
        outputs: Description by name: ``kind`` (``'probabilities'`` or ``'values'``) and ``names`` of the columns.
        config: The resolved config as text.
        batch_size: Number of views in each call. None means any number.
        precision: ``'float32'`` or ``'int8'`` (weights and activations of matrix products).
        opset: ONNX opset. None for other formats.
        window_seconds: Time that one view covers. None if it is unknown.
        max_difference: Largest measured difference from the eager model. None if it was not measured.
        checkpoint: ``file`` and ``sha256`` of the weights.
        versions: Versions of the packages that wrote the model.
        format_version: Version of this format.
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
        """Names of the classes. It is empty for a model that predicts only values."""
        return tuple(next((part['names'] for part in self.outputs.values() if part['kind'] == 'probabilities'), ()))

    @property
    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """Returns the shape of each stream without the batch."""
        return {name: tuple(part['shape']) for name, part in self.inputs.items()}

    def load_config(self) -> Config:
        """Reads the resolved config without running code.

        The text has all keys in alphabetical order. This method restores the order of the encoders, because the columns
        of the head's weights depend on it.

        Returns:
            The config.
        """
        cfg = config_from_text(self.config)
        encoders = cfg.model.encoders
        cfg.model['encoders'] = {name: encoders[name] for name in self.inputs}
        return cfg

    def write(self, folder: Path) -> None:
        """Writes ``model.json``.

        Args:
            folder: Folder of the exported model.
        """
        content = asdict(self) | {'classes': list(self.classes)}
        write_text(folder / MANIFEST, json.dumps(content, indent=2) + '\n')


def read_manifest(folder: str | Path) -> Manifest:
    """Reads ``model.json`` of an exported folder.

    Args:
        folder: The folder.

    Returns:
        The manifest.

    Raises:
        FileNotFoundError: If the folder does not exist or has no exported model.
        ValueError: If the manifest is damaged or has a later version.
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
            raise ValueError(f'format_version {str(version)[:40]} needs a later version of hicmae_mm')
        content.pop('classes', None)
        manifest = Manifest(**content)
        _check(manifest)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f'{path} does not describe an exported model ({error}); export it again') from error
    if not (path.parent / manifest.file).is_file():
        raise FileNotFoundError(f'{path.parent / manifest.file} does not exist, but {MANIFEST} names it; export again')
    return manifest


def _check(manifest: Manifest) -> None:
    """Raises an error if the manifest is not consistent; ``file`` must be the usual name, inside of the folder."""
    if manifest.format not in MODEL_FILES or manifest.file != MODEL_FILES[manifest.format]:
        raise ValueError(
            f'file {str(manifest.file)[:80]!r} with format {str(manifest.format)[:80]!r} does not come from an export'
        )
    for part in manifest.outputs.values():
        if part['kind'] not in ('probabilities', 'values') or not all(isinstance(name, str) for name in part['names']):
            raise ValueError('the description of an output is wrong')
    if not all(_is_count(size) for shape in manifest.input_shapes.values() for size in shape):
        raise ValueError('the shape of an input is not a list of sizes')
    if not isinstance(manifest.config, str):
        raise ValueError('its config is not text')
    if manifest.batch_size is not None and not _is_count(manifest.batch_size):
        raise ValueError(f'batch_size is {str(manifest.batch_size)[:40]}, expected a number from 1 on, or null')


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Creates a temporary folder, and moves its files to ``folder`` at the end.

    The old ``model.json`` is deleted first and the new one is moved last, so a folder with ``model.json`` is always
    complete. If the process is killed, a folder ``.partial`` stays, and the next export deletes it. An error leaves no
    files.

    Args:
        folder: Folder of the exported model.

    Yields:
        The temporary folder.

    Raises:
        OSError: If a file cannot be written. It names the file in ``folder``, or ``folder`` itself.
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
    except OSError as error:  # it names the file as it will be
        written = partial if error.filename is None else Path(str(error.filename))
        if error.errno is not None and written.is_relative_to(partial):
            error.filename, error.filename2 = str(folder / written.relative_to(partial)), None
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if is_new and not any(folder.iterdir()):
            folder.rmdir()
