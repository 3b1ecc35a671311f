"""Find the config and the weights of a model by name: shipped configs, files, folders, and the Hugging Face hub."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from hicmae_mm.checkpoints.loading import check_exists, read_checkpoint_meta
from hicmae_mm.config.paths import configs_root
from hicmae_mm.config.plain_text import read_config_text
from hicmae_mm.config.reading import read_config
from hicmae_mm.datasets.text_files import decode_text
from hicmae_mm.measuring.metafile import PRETRAINING, read_metafile
from hicmae_mm.utils.files import read_regular

LOCAL_DIR = 'local-dir:'
_WEIGHTS_SUFFIXES = ('.safetensors', '.pth', '.pt', '.ckpt', '.bin')
_HUB_ID = re.compile(r'[\w-][\w.-]*/[\w.-]*[\w-]')
_LAST_CHECKPOINT = 'last_checkpoint'  # file in which MMEngine stores the path of the newest checkpoint
_MOST_CONFIG_BYTES = 1 << 22
_MOST_NOTE_BYTES = 1 << 16
_HUB_FILES = ('*.safetensors', '*.pth', '*.py', '*.json')


@dataclass(frozen=True)
class ResolvedModel:
    """Names the config and the weights of a model.

    Attributes:
        name: Name of the model in results.
        cfg: Config of the model.
        weights: Path or address of its weights. None if it has none.
        classes: Names of the classes that the weights state. None if they state none.
    """

    name: str
    cfg: Config
    weights: str | None
    classes: tuple[str, ...] | None = None


def list_models(pattern: str = '') -> list[str]:
    """Lists the shipped configs that recognise emotion.

    Args:
        pattern: Text that the names must contain.

    Returns:
        The names, sorted.

    Example:
        >>> from hicmae_mm.apis import list_models
        >>> 'hicmae_base_cremad' in list_models('base')
        True
    """
    recognisers = (name for name, entry in _shipped().items() if entry['Results'][0]['Task'] != PRETRAINING)
    return sorted(name for name in recognisers if pattern in name)


def _shipped() -> dict[str, dict[str, Any]]:
    """Reads the metafiles of all systems: name of a config -> its entry."""
    metafiles = sorted(configs_root().rglob('metafile.yml'))
    return {entry['Name']: entry for file in metafiles for entry in read_metafile(file)['Models']}


def resolve_model(
    model: str | Path | Mapping[str, Any] | None, weights: str | Path | None = None, trust_source: bool = False
) -> ResolvedModel:
    """Finds the config and the weights of a model.

    Args:
        model: One of these: the name of a shipped config (see :func:`list_models`); the path of a config file; a
            folder, also as ``local-dir:PATH``; the path of weights that contain their config; a model ``org/name`` of
            the Hugging Face hub; a config. A folder comes from a training or holds published weights; its newest config
            and its last checkpoint are used. None means the config that ``weights`` contain.
        weights: Path or address of weights. None means the weights of the model.
        trust_source: Whether the config in a folder may run code. By default it is read as data.

    Returns:
        The model.

    Raises:
        FileNotFoundError: If a path does not exist, there are no weights, or the hub does not answer.
        ImportError: If the model is on the hub and ``huggingface_hub`` is not installed.
        ValueError: If no model has this name, or a config cannot be read.
        TypeError: If the model has another type.
    """
    weights = None if weights is None else str(weights)
    check_exists(weights)
    if isinstance(model, (Mapping, Config)):
        cfg = model if isinstance(model, Config) else Config(ConfigDict(model))
        return ResolvedModel('config' if cfg.filename is None else Path(cfg.filename).stem, cfg, weights)
    if model is None:
        if weights is None:
            raise ValueError('give the name of a model, or weights that contain their config')
        return _of_weights(Path(weights))
    if not isinstance(model, (str, Path)):
        raise TypeError(f'model must be a name, a path or a config, got {type(model).__name__}')
    return _of_name(str(model), weights, trust_source)


def _of_name(model: str, weights: str | None, trust_source: bool) -> ResolvedModel:
    read = read_config if trust_source else _read_as_data
    if model.startswith(LOCAL_DIR):
        folder = Path(model.removeprefix(LOCAL_DIR)).expanduser()
        if not folder.is_dir():
            raise FileNotFoundError(f'{model}: no such folder')
        return _of_folder(folder, weights, read)
    path = Path(model).expanduser()
    if path.is_dir():
        return _of_folder(path, weights, read)
    if path.is_file():
        if path.suffix == '.py':
            return ResolvedModel(path.stem, read_config(path), weights)
        return _of_weights(path, weights)
    shipped = _shipped()
    names = {entry['Config'].removeprefix('configs/').removesuffix('.py'): name for name, entry in shipped.items()}
    name = model.removesuffix('.py').removeprefix('configs/')
    name = names.get(name, name)
    if name in shipped:
        entry = shipped[name]
        cfg = read_config(configs_root() / entry['Config'].removeprefix('configs/'))
        return ResolvedModel(name, cfg, weights or entry.get('Weights'))
    if path.suffix in ('.py', *_WEIGHTS_SUFFIXES) or model.startswith(('.', '/', '~')) or model.count('/') > 1:
        raise FileNotFoundError(f'{model}: no such file or folder')
    if _HUB_ID.fullmatch(model):
        return _of_hub(model, weights)
    close = difflib.get_close_matches(model, shipped, n=3, cutoff=0.5)
    hint = f'did you mean {" or ".join(map(repr, close))}?' if close else 'list_models() lists the shipped ones'
    raise ValueError(
        f'no model {model!r}: neither a file or folder nor the name of a shipped config; {hint} A model of the Hugging '
        'Face hub is named ORGANISATION/NAME'
    )


def _read_as_data(path: Path) -> Config:
    """Reads the config that a training has written, without running it."""
    try:
        return read_config_text(decode_text(read_regular(path, _MOST_CONFIG_BYTES), path), str(path))
    except ValueError as error:
        raise ValueError(
            f'{error}. A folder is read as data; --trust-source (trust_source=True) runs the config, and whatever code '
            'it holds'
        ) from error


def _newest(paths: list[Path]) -> Path | None:
    return max(paths, key=lambda path: (path.stat().st_mtime, path.name), default=None)


def _of_folder(folder: Path, weights: str | None, read: Callable[[Path], Config]) -> ResolvedModel:
    """Finds the model of a folder: of a training (configs and checkpoints), or of weights that contain their config."""
    if weights is None:
        weights = str(_weights_of(folder))
    config = _newest([path for path in folder.glob('*.py') if path.is_file()])
    if config is None:
        resolved = _of_weights(Path(weights))
        return ResolvedModel(folder.resolve().name, resolved.cfg, weights, resolved.classes)
    return ResolvedModel(folder.resolve().name, read(config), weights, _classes_of(weights))


def _weights_of(folder: Path) -> Path:
    """Finds the last checkpoint of a training, or the newest weights if ``last_checkpoint`` names none."""
    note = folder / _LAST_CHECKPOINT
    if note.is_file():
        text = read_regular(note, _MOST_NOTE_BYTES).decode('utf-8', 'replace').replace('\0', '')
        named = folder / Path(text.strip()).name  # the folder may have been moved since
        if named.is_file():
            return named
    found = [path for path in folder.iterdir() if path.suffix in _WEIGHTS_SUFFIXES and path.is_file()]
    newest = _newest(found)
    if newest is None:
        raise FileNotFoundError(
            f'{folder}: no weights (*.pth, *.safetensors) in this folder; name the work_dir of a finished training'
        )
    return newest


def _of_weights(path: Path, weights: str | None = None) -> ResolvedModel:
    """Reads the config inside weights; ``publish_model.py`` and every training write such weights."""
    meta = read_checkpoint_meta(path)
    text = meta.get('config') or meta.get('cfg')
    if not isinstance(text, str):
        raise ValueError(f'{path} does not contain its config: give the config as model and this file as weights')
    name = str(meta.get('config_name') or path.stem)
    return ResolvedModel(name, read_config_text(text, str(path)), weights or str(path), _stated_classes(meta))


def _classes_of(weights: str) -> tuple[str, ...] | None:
    return None if '://' in weights else _stated_classes(read_checkpoint_meta(weights))


def _stated_classes(meta: Mapping[str, Any]) -> tuple[str, ...] | None:
    classes = meta.get('classes') or (meta.get('dataset_meta') or {}).get('classes')
    return tuple(map(str, classes)) if classes else None


def _of_hub(model: str, weights: str | None) -> ResolvedModel:
    """Downloads a repository of the Hugging Face hub into its cache and reads its config without running it."""
    try:
        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise ImportError(
            f'{model!r} looks like a model of the Hugging Face hub: pip install huggingface_hub (a folder is named '
            f'{LOCAL_DIR}PATH)'
        ) from error
    try:
        folder = huggingface_hub.snapshot_download(model, allow_patterns=list(_HUB_FILES))
    except HfHubHTTPError as error:
        reason = str(error).strip().splitlines()[0]
        raise FileNotFoundError(f'{model}: no file, no shipped config, and not on the hub: {reason}') from error
    except (LocalEntryNotFoundError, OSError) as error:
        raise FileNotFoundError(
            f'{model}: no file and no shipped config, and the Hugging Face hub cannot be reached to look there; '
            f'offline, name a folder: {LOCAL_DIR}PATH'
        ) from error
    resolved = _of_folder(Path(folder), weights, _read_as_data)
    return ResolvedModel(model, resolved.cfg, resolved.weights, resolved.classes)
