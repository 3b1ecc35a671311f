"""Makes a trained checkpoint ready to be shared: weights and facts only, with its hash in the name.

python tools/model_converters/publish_model.py work_dirs/hicmae_base_cremad/fold1/epoch_50.pth \
    work_dirs/published/hicmae_base_cremad.safetensors --metrics metrics.json
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command, point_elsewhere

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hicmae_mm.checkpoints.files import check_can_write, file_sha256, write_checkpoint
from hicmae_mm.checkpoints.loading import read_checkpoint
from hicmae_mm.config.facts import checkpoint_meta
from hicmae_mm.engine.hooks.checkpoint import VALIDATED_EPOCH
from hicmae_mm.measuring.metafile import read_metafile, record_weights, write_metafile
from hicmae_mm.utils.files import read_json_object

KEPT = ('epoch', 'iter', 'seed', 'mmengine_version', 'sources', 'base')
NOT_METRICS = ('data_time', 'time', 'epoch', 'iter', 'step')


ELSEWHERE = {
    '--no-ema': 'the average is published if the checkpoint holds one',
    '--dataset-type': 'the names of the classes come from the config, --config',
}


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Make a checkpoint ready to be shared')
    parser.add_argument('source', type=Path, help='checkpoint of a training, or one that was converted')
    parser.add_argument(
        'out', type=Path, help='file to write, .pth or .safetensors; eight digits of its hash are added to the name'
    )
    parser.add_argument('--config', help='config to store; by default the one stored in the checkpoint')
    parser.add_argument(
        '--metrics',
        type=Path,
        help='JSON of metrics to store, as tools/test.py --out writes; by default those of the '
        "checkpoint's own epoch, if it was validated",
    )
    parser.add_argument(
        '--record', type=Path, metavar='METAFILE', help="enter the weights into the config's entry of this metafile"
    )
    parser.add_argument('--url', help='address below which the weights will be found, for --record')
    point_elsewhere(parser, ELSEWHERE)
    return parser.parse_args(arguments)


def own_metrics(checkpoint: Mapping[str, Any]) -> dict[str, float]:
    """Returns the scores of a training checkpoint in its own epoch; empty if it was not validated."""
    hub = checkpoint.get('message_hub') or {}
    validated = hub.get('runtime_info', {}).get(VALIDATED_EPOCH)
    if validated is None or validated != checkpoint.get('meta', {}).get('epoch'):
        return {}
    scalars = {name.partition('/')[2]: log for name, log in hub['log_scalars'].items() if name.startswith('val/')}
    return {name: float(log.current()) for name, log in scalars.items() if name not in NOT_METRICS}


def read_metrics(path: Path) -> dict[str, float]:
    """Numbers of a JSON file by name.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no JSON, or no dictionary.
    """
    content = read_json_object(path, 'name a file of tools/test.py --out')
    numbers = {name: value for name, value in content.items() if isinstance(value, (int, float))}
    return {name: float(value) for name, value in numbers.items() if name not in NOT_METRICS}


def collect_meta(checkpoint: Mapping[str, Any], source: Path, config: str | None) -> dict[str, Any]:
    """Returns the facts to share: config, classes, versions, and the source."""
    old = checkpoint.get('meta', {})
    meta = checkpoint_meta(config) | {key: old[key] for key in KEPT if key in old}
    meta |= {'source': source.name, 'source_sha256': file_sha256(source)}
    if 'source_sha256' in old:
        meta['converted_from'] = {key: old[key] for key in ('source', 'source_sha256', 'weights') if key in old}
    stored = {
        'config': old.get('config') or old.get('cfg'),
        'config_name': old.get('config_name') or re.sub(r'_\d{8}_\d{6}$', '', old.get('experiment_name', '')),
        'classes': old.get('classes') or list((old.get('dataset_meta') or {}).get('classes') or []),
    }
    meta = {key: value for key, value in stored.items() if value} | meta
    meta['is_average'] = 'ema_state_dict' in checkpoint
    return meta


def publish(args: argparse.Namespace) -> Path:
    """Writes the checkpoint and returns its name.

    ``state_dict`` of a training with a moving average *is* the average, with which the training validates; the
    weights that it averages are dropped with optimizer, schedules and logs.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If it is no checkpoint, the metrics cannot be read, or the metafile has no entry.
    """
    check_can_write(args.out)
    checkpoint = read_checkpoint(args.source, with_base=False)
    meta = collect_meta(checkpoint, args.source, args.config)
    meta['metrics'] = own_metrics(checkpoint) if args.metrics is None else read_metrics(args.metrics)
    record = None if args.record is None else read_metafile(args.record)
    state = {name.removeprefix('module.'): value for name, value in checkpoint['state_dict'].items()}
    unnamed = args.out.with_name(f'{args.out.stem}-unnamed{args.out.suffix}')
    write_checkpoint(unnamed, state, meta)
    try:
        sha256 = file_sha256(unnamed)
        published = args.out.with_name(f'{args.out.stem}-{sha256[:8]}{args.out.suffix}')
        if record is not None:
            address = published.name if args.url is None else f'{args.url.rstrip("/")}/{published.name}'
            record_weights(record, meta.get('config_name', ''), address, sha256, meta['metrics'])
            write_metafile(args.record, record)
        unnamed.replace(published)
    finally:
        unnamed.unlink(missing_ok=True)
    return published


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Publishes."""
    args = parse_args(arguments)
    published = publish(args)
    print(f'{args.source} is ready to be shared: {published}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
