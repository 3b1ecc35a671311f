"""Models of the package transformers from a local folder: config, weights and pre-processing. Never a download."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from hicmae_mm.utils.files import LFS_POINTER, read_regular

# files of the folder only, and no code that lies in it: without the second the library asks at the terminal
_LOCAL = dict(local_files_only=True, trust_remote_code=False)
_WEIGHTS = ('*.safetensors', '*.safetensors.index.json', '*.bin', '*.bin.index.json')
_MOST_BYTES = 1 << 24  # of a preprocessor_config.json
# parts of models of several streams, in the order in which they are looked for
_PARTS = ('vision_model', 'audio_model', 'encoder', 'text_model')
_PART_CONFIGS = ('vision_config', 'audio_config', 'text_config')


def import_transformers() -> ModuleType:
    """Imports transformers, which takes seconds.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        return import_module('transformers')
    except ModuleNotFoundError as error:
        raise ImportError(
            'encoders from local folders need the package transformers: pip install "hicmae_mm[hf]"'
        ) from error


def check_folder(path: str) -> Path:
    """Returns the folder of a model.

    Raises:
        FileNotFoundError: If there is no such folder, or it has no ``config.json``.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise FileNotFoundError(
            f'the folder {path} does not exist; name a local folder with config.json and model.safetensors, as '
            'save_pretrained writes it (nothing is downloaded)'
        )
    if not (folder / 'config.json').is_file():
        raise FileNotFoundError(f'{folder} has no config.json: it is not the folder of a model of transformers')
    return folder


def read_model_config(path: str | None, changes: Mapping[str, Any] | None) -> Any:
    """Reads the config of a model.

    Args:
        path: The folder; ``None`` means ``changes`` is the whole config.
        changes: Entries that replace those of the folder. If they have a ``model_type`` besides ``path``, they replace
            nothing: they say which model is expected in the folder.

    Raises:
        FileNotFoundError: If there is no such folder, or it has no ``config.json``.
        ValueError: If the config is damaged, of an unknown kind, or not the expected one.
    """
    auto = import_transformers().AutoConfig
    changes = json.loads(json.dumps(changes or {}))  # plain dictionaries and lists
    source = 'config' if path is None else str(check_folder(path) / 'config.json')
    try:
        if path is not None and 'model_type' in changes:
            return _expected_config(auto.from_pretrained(path, **_LOCAL), changes, source)
        if path is not None:
            return auto.from_pretrained(path, **_LOCAL, **changes)
        if 'model_type' not in changes:
            raise ValueError('without path, config must have a model_type, such as "wav2vec2"')
        return auto.for_model(**changes)
    except _OtherModelError:
        raise
    except Exception as error:  # transformers checks the values with classes of errors of its own
        raise ValueError(f'{source}: not the config of a known model ({_one_line(error)})') from error


class _OtherModelError(ValueError):
    """Reports that a folder has another model than the config expects."""


def _expected_config(found: Any, expected: Mapping[str, Any], source: str) -> Any:
    """Returns the config of a folder, if it or one of its parts is the expected one.

    Raises:
        _OtherModelError: If it is not.
    """
    parts = [found, *filter(None, (getattr(found, name, None) for name in _PART_CONFIGS))]
    own = next((part for part in parts if part.model_type == expected['model_type']), None)
    if own is None:
        kinds = [part.model_type for part in parts]
        raise _OtherModelError(f'{source}: model_type is one of {kinds}, the config expects {expected["model_type"]!r}')
    for key, value in expected.items():
        if getattr(own, key, None) != value:
            raise _OtherModelError(
                f'{source}: {key} is {getattr(own, key, None)!r}, the config expects {value!r}; give the folder of the '
                'expected model'
            )
    return found


def build_model(path: str | None, config: Any, pretrained: bool, part: str | None) -> nn.Module:
    """Builds a model, with the weights of its folder or random ones.

    Args:
        path: The folder.
        config: Result of :func:`read_model_config`.
        pretrained: Whether weights are loaded.
        part: Part of a model of several streams, such as ``'vision_model'``; ``None`` takes the first encoder.

    Returns:
        The part. Its ``config`` is its own.

    Raises:
        FileNotFoundError: If the folder has no weights.
        ValueError: If the weights do not fit, would run code or were not fetched, or the model lacks the part.
    """
    kind = _model_class(config)
    if not pretrained:
        model = kind(config)
    else:
        assert path is not None
        files = [file for pattern in _WEIGHTS for file in Path(path).glob(pattern)]
        if not files:
            raise FileNotFoundError(
                f'{path} has no weights (model.safetensors); pretrained=False starts with random weights'
            )
        _refuse_pointers(files)
        model = _load(kind, path, config)
    return _part_of(model, part)


def _refuse_pointers(files: Sequence[Path]) -> None:
    """Refuses what a clone without Git LFS has in place of weights."""
    for file in files:
        with file.open('rb') as opened:
            if opened.read(len(LFS_POINTER)) == LFS_POINTER:
                raise ValueError(
                    f"{file} is a Git LFS pointer, not the weights; install git-lfs and run 'git lfs pull'"
                )


def _model_class(config: Any) -> Any:
    transformers = import_transformers()
    name = type(config).__name__.removesuffix('Config') + 'Model'
    # the class without a head; some kinds of encoders have no entry among the automatic ones
    mapping = transformers.models.auto.modeling_auto.MODEL_MAPPING
    kind = mapping[type(config)] if type(config) in mapping else getattr(transformers, name, None)
    if isinstance(kind, (list, tuple)):
        kind = kind[0]
    if kind is None:
        raise ValueError(f'{config.model_type!r}: transformers has no {name}; this kind of model is not supported')
    return kind


def _load(kind: Any, path: str, config: Any) -> nn.Module:
    model, missing = _read_weights(kind, path, config)
    whole = getattr(import_transformers(), (config.architectures or [''])[0], None)
    if missing and whole is not None and whole is not kind:
        # the weights of some models with heads are found under the names of that class only
        model, missing = _read_weights(whole, path, config)
        model = next((part for part in model.modules() if isinstance(part, kind)), model)
    if missing:
        raise ValueError(
            f'{path}: the weights lack {len(missing)} parameters of {type(model).__name__}, such as {missing[0]!r}; '
            'they belong to another model than config.json'
        )
    return model


def _read_weights(kind: Any, path: str, config: Any) -> tuple[nn.Module, list[str]]:
    """Returns the model, and the names of parameters that the folder does not have."""
    try:
        with _quiet():
            model, info = kind.from_pretrained(path, config=config, local_files_only=True, output_loading_info=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f'{path}: the weights are a pickle that asks for more than tensors, and are not read, since reading it '
            'can run code; get model.safetensors from the same source'
        ) from error
    except Exception as error:  # safetensors has errors of its own
        raise ValueError(f'{path}: the weights cannot be read ({_one_line(error)})') from error
    # poolers of pre-trained language and picture models are often not trained; they are not used here either
    return model, sorted(name for name in info['missing_keys'] if 'pooler.' not in name)


def _part_of(model: nn.Module, part: str | None) -> nn.Module:
    """Returns the encoder of one stream in a model of several, or of encoder and decoder."""
    config: Any = model.config
    has_several = any(getattr(config, name, None) is not None for name in _PART_CONFIGS)
    parts = [name for name in _PARTS if has_several or config.is_encoder_decoder if hasattr(model, name)]
    if part is not None and part not in parts:
        raise ValueError(f'part={part!r} is not in {type(model).__name__}; it has {parts or "one part only"}')
    if not parts:
        return model
    chosen: nn.Module = getattr(model, part or parts[0])
    return chosen


def read_preprocessing(path: str | None) -> dict[str, Any]:
    """Reads what a folder says about the input of its model; empty without folder or file.

    Raises:
        ValueError: If a file is damaged.
    """
    file = None if path is None else Path(path) / 'preprocessor_config.json'
    if file is None or not file.is_file():
        return {}
    try:
        found = json.loads(read_regular(file, _MOST_BYTES))
    except ValueError as error:
        raise ValueError(f'{file}: not JSON ({_one_line(error)})') from error
    if not isinstance(found, dict):
        raise ValueError(f'{file}: expected a dictionary')
    return found


def _one_line(error: Exception) -> str:
    return ' '.join(str(error).split())[:200]


@contextmanager
def _quiet() -> Iterator[None]:
    """Hides the reports of transformers about weights that this package checks itself."""
    logging = import_transformers().logging
    level = logging.get_verbosity()
    shows_progress = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shows_progress:
            logging.enable_progress_bar()
