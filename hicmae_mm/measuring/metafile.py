"""Writes the metafile: an entry for every shipped config, in OpenMMLab's format.

What follows from a config (size, work, task, data) is computed; what does not (published numbers, measured numbers,
weights) is written by hand or by ``tools/model_converters/publish_model.py`` and kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from mmengine.config import Config

from hicmae_mm.config.facts import build_empty_model, dataset_facts
from hicmae_mm.config.reading import read_config
from hicmae_mm.measuring.complexity import count_complexity
from hicmae_mm.measuring.random_batch import random_inputs, random_masks
from hicmae_mm.structures import as_token_mask
from hicmae_mm.utils.files import write_text

COLLECTION = 'HiCMAE'  # of a metafile that does not describe its own
TASKS = {
    'ClassificationHead': 'Emotion Recognition',
    'CompoundHead': 'Emotion Recognition',
    'RegressionHead': 'Emotion Dimension Regression',
    'MultiTaskHead': 'Emotion Recognition and Dimension Regression',
}
PRETRAINING = 'Self-Supervised Pre-Training'
KEPT_RESULTS = ('Metrics', 'Published', 'Published Source')


def read_metafile(path: Path) -> dict[str, Any]:
    """Returns the content of a metafile.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has no list of models.
    """
    if not path.is_file():
        raise FileNotFoundError(f'metafile {path} does not exist')
    content = yaml.safe_load(path.read_text(encoding='utf-8'))
    if not isinstance(content, dict) or not isinstance(content.get('Models'), list):
        raise ValueError(f"{path} is no metafile: expected 'Collections' and a list of 'Models'")
    return content


def write_metafile(path: Path, content: dict[str, Any]) -> None:
    """Writes a metafile; comments above its first key are kept."""
    lines = path.read_text(encoding='utf-8').splitlines(keepends=True) if path.is_file() else []
    first = next((number for number, line in enumerate(lines) if line.strip() and line[0] != '#'), len(lines))
    text = yaml.safe_dump(content, sort_keys=False, width=120, allow_unicode=True)
    write_text(path, ''.join(lines[:first]) + text)


def measure(cfg: Config) -> dict[str, int]:
    """Counts size and work of a config's model without memory for it.

    Returns:
        dict: ``Parameters``, and ``FLOPs`` of one clip or view (two per multiply-accumulate).
    """
    model = build_empty_model(cfg)
    masks = None
    if hasattr(model, 'decoders'):
        pipeline = ((cfg.get('train_dataloader') or {}).get('dataset') or {}).get('pipeline') or []
        found = random_masks(model, 1, pipeline)  # type: ignore[arg-type]
        masks = {name: as_token_mask(mask, name).to('meta') for name, mask in found.items()}
    inputs = {name: value.to('meta') for name, value in random_inputs(model, 1).items()}  # type: ignore[arg-type]
    counted = count_complexity(model, inputs, masks)  # type: ignore[arg-type]
    return {'Parameters': counted.parameters, 'FLOPs': int(2 * counted.macs)}


def describe(
    path: Path, root: Path, sizes: dict[str, int] | None = None, collection: str = COLLECTION
) -> dict[str, Any]:
    """Returns the computed part of a config's entry.

    Args:
        path: The config.
        root: Folder to which paths in the metafile are relative.
        sizes: Result of :func:`measure`, if it is already known.
        collection: Name of the collection that the config belongs to.
    """
    cfg = read_config(path)
    dataset = (cfg.get('train_dataloader') or cfg.get('test_dataloader') or {}).get('dataset') or {}
    data_name = dataset_facts(cfg).get('name') or Path(str(dataset.get('data_root', ''))).name or 'none'
    task = TASKS.get(str((cfg.model.get('head') or {}).get('type')), PRETRAINING)
    metadata: dict[str, Any] = {'Training Data': data_name, 'Epochs': (cfg.get('train_cfg') or {}).get('max_epochs')}
    metadata |= measure(cfg) if sizes is None else sizes
    return {
        'Name': path.stem,
        'In Collection': collection,
        'Config': path.relative_to(root).as_posix(),
        'Metadata': metadata,
        'Results': [{'Task': task, 'Dataset': data_name, 'Metrics': None}],
        'Weights': None,
    }


def update(content: dict[str, Any], configs: list[Path], root: Path) -> dict[str, Any]:
    """Brings a metafile up to date: an entry per config, in the order given; entries of vanished configs go.

    Args:
        content: Result of :func:`read_metafile`.
        configs: Every shipped config.
        root: Folder to which paths in the metafile are relative.
    """
    known = {entry['Name']: entry for entry in content['Models']}
    collection = collection_of(content)
    measured: dict[str, dict[str, int]] = {}
    entries = []
    for path in configs:
        cfg = read_config(path)
        key = str(cfg.model)
        if key not in measured:
            measured[key] = measure(cfg)
        entries.append(_merged(describe(path, root, measured[key], collection), known.get(path.stem, {})))
    return {**content, 'Models': entries}


def collection_of(content: dict[str, Any]) -> str:
    """Returns name of the collection that a metafile describes."""
    collections = content.get('Collections') or [{'Name': COLLECTION}]
    return str(collections[0]['Name'])


def project_root(metafile: Path) -> Path:
    """Returns the folder that the paths in a metafile are relative to: the one that holds ``configs``."""
    folder = metafile.resolve().parent
    return next((part.parent for part in (folder, *folder.parents) if part.name == 'configs'), folder.parent)


def _merged(entry: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """Returns a computed entry with what the old entry says in addition."""
    metadata = {**(old.get('Metadata') or {}), **entry['Metadata']}
    results = old.get('Results') or [{}]
    kept = {key: results[0][key] for key in KEPT_RESULTS if results[0].get(key) is not None}
    entry = {**entry, 'Metadata': metadata, 'Results': [{**entry['Results'][0], **kept}, *results[1:]]}
    return {**entry, **{key: value for key, value in old.items() if key not in entry or entry[key] is None}}


def record_weights(content: dict[str, Any], name: str, weights: str, sha256: str, metrics: dict[str, float]) -> None:
    """Writes published weights into a config's entry, in place.

    Args:
        content: Result of :func:`read_metafile`.
        name: Name of the config.
        weights: Address or file name of the weights.
        sha256: Hash of the file.
        metrics: Scores; empty if they are not known.

    Raises:
        ValueError: If there is no entry of this name.
    """
    for entry in content['Models']:
        if entry['Name'] == name:
            entry['Weights'] = weights
            entry['Metadata'] = {**entry['Metadata'], 'Weights SHA256': sha256}
            if metrics:
                entry['Results'][0]['Metrics'] = metrics
            return
    raise ValueError(
        f'the metafile has no entry {name!r}; bring it up to date first: '
        'python tools/model_converters/update_metafile.py'
    )
