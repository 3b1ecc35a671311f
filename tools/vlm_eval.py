"""Tests a language model that sees pictures on a corpus, without training, through an OpenAI-compatible endpoint.

python tools/vlm_eval.py configs/hicmae_base_cremad.py --base-url http://localhost:8000/v1 --model qwen2.5-vl --dry-run
python tools/vlm_eval.py configs/hicmae_base_cremad.py --base-url http://localhost:8000/v1 --model qwen2.5-vl --yes

The clips, the labels and the names of the classes are those of the config's test set. The model gets some frames of
each clip (``--frames``), its transcript (``--text``), or both. Nothing is sent before the estimate of its size and cost
is confirmed. Every answer is stored at once, so a rerun asks only what is missing. The predictions are in the form of
``tools/test.py --out``. See ``docs/vlm_eval.md``.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.registry import init_default_scope
from rich.progress import Progress

from hicmae_mm.apis.zero_shot import (
    AnswerStore,
    ChatEndpoint,
    ClipReader,
    Outcome,
    Question,
    ZeroShotEvaluation,
    as_predictions,
    estimate_tokens,
    read_keys,
    summary,
)
from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.overrides import load_config
from hicmae_mm.datasets.av_dataset import AudioVisualDataset
from hicmae_mm.datasets.labels import classes_of
from hicmae_mm.evaluation.predictions import write_predictions
from hicmae_mm.registry import DATASETS
from hicmae_mm.utils.files import write_text

_SAMPLED_FOR_ESTIMATE = 8  # clips that are read to estimate the size of all


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Zero-shot test of a language model that sees pictures')
    parser.add_argument('config', help='config file; its test set is used')
    parser.add_argument('--base-url', required=True, help='address of the endpoint, up to /v1')
    parser.add_argument('--model', required=True, help='name of the model at the endpoint')
    parser.add_argument(
        '--key-from', default='OPENAI_API_KEY', help='environment variable of the key, or of several (%(default)s)'
    )
    parser.add_argument('--key-file', type=Path, help='file with a key in each line, in place of --key-from')
    parser.add_argument('--work-dir', type=Path, help='folder of answers and results (work_dirs/vlm/CONFIG/MODEL)')
    add_options_of_clips(parser)
    add_options_of_requests(parser)
    parser.add_argument(
        '--tokens-per-picture', type=int, default=255, help='tokens of a picture, for the estimate (%(default)s)'
    )
    parser.add_argument('--price-in', type=float, help='price of a million tokens of questions')
    parser.add_argument('--price-out', type=float, help='price of a million tokens of answers')
    parser.add_argument(
        '--dry-run', action='store_true', help='print the estimate and the first question, send nothing'
    )
    parser.add_argument('--yes', action='store_true', help='send without asking')
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction, help='key=value, overrides of the config')
    args = parser.parse_args(argv)
    check(parser, args)
    return args


def add_options_of_clips(parser: ArgumentParser) -> None:
    """Adds the options that say what the model gets of a clip, and what it is asked for."""
    parser.add_argument('--frames', type=int, default=3, help='frames of a clip; 0 sends none (%(default)s)')
    parser.add_argument('--text', action='store_true', help='send the transcript (column text of the list)')
    parser.add_argument('--longest-side', type=int, default=512, help='longer side of a frame in pixels (%(default)s)')
    parser.add_argument('--quality', type=int, default=85, help='JPEG quality, 1 to 100 (%(default)s)')
    parser.add_argument(
        '--names', nargs='+', help='word for each class in order, where the names of the corpus are short'
    )
    parser.add_argument('--open-vocabulary', action='store_true', help='ask for any words of emotion')


def add_options_of_requests(parser: ArgumentParser) -> None:
    """Adds the options that say how the endpoint is asked."""
    parser.add_argument('--batch-size', type=int, default=8, help='clips in a question (%(default)s)')
    parser.add_argument('--tries', type=int, default=2, help='times that a question is asked before it is divided')
    parser.add_argument('--parallel', type=int, default=4, help='questions at the same time (%(default)s)')
    parser.add_argument('--limit', type=int, help='number of clips to ask about, drawn by --seed (default: all)')
    parser.add_argument('--seed', type=int, default=0, help='seed of the order of the clips (%(default)s)')
    parser.add_argument('--temperature', type=float, default=0.0, help='sampling temperature (%(default)s)')
    parser.add_argument('--most-tokens', type=int, default=1000, help='longest answer in tokens (%(default)s)')
    parser.add_argument('--timeout', type=float, default=120.0, help='seconds to wait for a byte (%(default)s)')
    parser.add_argument('--retries', type=int, default=5, help='repetitions while the server is busy (%(default)s)')
    parser.add_argument('--pause', type=float, default=0.0, help='seconds between two requests (%(default)s)')


def check(parser: ArgumentParser, args: argparse.Namespace) -> None:
    """Ends the command if an option is out of range."""
    for name, least in dict(frames=0, longest_side=16, quality=1, batch_size=1, tries=1, parallel=1, retries=0).items():
        if getattr(args, name) < least:
            parser.error(f'--{name.replace("_", "-")} must be at least {least}, got {getattr(args, name)}')
    if args.quality > 100:
        parser.error(f'--quality must be at most 100, got {args.quality}')
    if args.limit is not None and args.limit < 1:
        parser.error(f'--limit must be at least 1, got {args.limit}')
    if not args.frames and not args.text:
        parser.error('nothing would be shown: give --frames above 0, or --text')


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Asks, and writes answers, predictions and measures."""
    args = parse_args(argv)
    dataset = test_set(args)
    classes = None if args.open_vocabulary else required_classes(args, dataset)
    indices = list(range(len(dataset)))
    random.Random(args.seed).shuffle(indices)
    indices = indices[: args.limit]
    reader = ClipReader(dataset, args.frames, args.longest_side, args.quality, args.text)
    print(estimate(args, reader, classes, indices), flush=True)
    if args.dry_run:
        print_question(reader, classes, indices[0])
        return 0
    confirm(args)
    folder = args.work_dir or Path('work_dirs', 'vlm', Path(args.config).stem, args.model.replace('/', '_'))
    evaluation = evaluation_of(args, reader, classes, folder)
    outcomes = run(evaluation, indices)
    write_results(folder, dataset, classes, outcomes)
    print(f'\n{folder}: {", ".join(f"{count} {name}" for name, count in sorted(evaluation.usage.items()))}')
    return 0


def print_question(reader: ClipReader, classes: Sequence[str] | None, index: int) -> None:
    """Prints what would be asked about one clip."""
    question = Question([reader.read(index)], classes)
    print('\nThe question about one clip, without its pictures:\n')
    print('\n'.join(part['text'] if part['type'] == 'text' else '<picture>' for part in question.content()))


def evaluation_of(
    args: argparse.Namespace, reader: ClipReader, classes: Sequence[str] | None, folder: Path
) -> ZeroShotEvaluation:
    """Returns the evaluation that asks the endpoint and stores its answers in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    endpoint = ChatEndpoint(
        args.base_url,
        args.model,
        read_keys(args.key_from, args.key_file),
        args.temperature,
        args.most_tokens,
        args.timeout,
        args.retries,
        args.pause,
    )
    store = AnswerStore(folder / 'answers.jsonl')
    return ZeroShotEvaluation(endpoint, reader.read, classes, store, args.batch_size, args.tries, args.parallel)


def run(evaluation: ZeroShotEvaluation, indices: Sequence[int]) -> list[Outcome]:
    """Asks about the clips, and shows how far it is.

    Raises:
        KeyboardInterrupt: On Ctrl-C; the message says how many answers are kept.
    """
    with Progress(disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task('clips', total=len(indices))
        try:
            return evaluation.run(indices, lambda count: bar.advance(task, count))
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt(
                f'{len(evaluation.store)} answers are kept; run the same command again'
            ) from interrupt


def test_set(args: argparse.Namespace) -> AudioVisualDataset:
    """Builds the test set of the config, without its pipeline.

    Raises:
        ValueError: If the config has no test set of clips.
    """
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    if not cfg.get('test_dataloader'):
        raise ValueError(f'{args.config} has no test_dataloader')
    dataset = DATASETS.build({**cfg.test_dataloader['dataset'], 'pipeline': []})
    if not isinstance(dataset, AudioVisualDataset):
        raise ValueError(f'the test set must be a list of clips (AudioVisualDataset), got {type(dataset).__name__}')
    dataset.full_init()
    return dataset


def required_classes(args: argparse.Namespace, dataset: AudioVisualDataset) -> tuple[str, ...]:
    """Returns the names of the classes.

    Raises:
        ValueError: If there are none, or ``--names`` does not give one to each class.
    """
    classes = classes_of(dataset.metainfo)
    if dataset.task == 'regression' or not classes:
        raise ValueError(
            f'the test set of {args.config} has no names of classes to ask for; '
            'give them by test_dataloader.dataset.metainfo.classes, or ask for any words with --open-vocabulary'
        )
    if args.names is not None and len(set(args.names)) != len(classes):
        raise ValueError(
            f'--names must give {len(classes)} different words, for {", ".join(classes)}; got {args.names}'
        )
    return tuple(args.names or classes)


def estimate(
    args: argparse.Namespace, reader: ClipReader, classes: Sequence[str] | None, indices: Sequence[int]
) -> str:
    """Describes what would be sent, from the first clips."""
    sample = indices[:_SAMPLED_FOR_ESTIMATE]
    batches = [sample[start : start + args.batch_size] for start in range(0, len(sample), args.batch_size)]
    questions = [Question([reader.read(index) for index in batch], classes) for batch in batches]
    sizes = [estimate_tokens(question, args.tokens_per_picture) for question in questions]
    share = len(indices) / len(sample)
    tokens_in, tokens_out = (round(share * sum(size[part] for size in sizes)) for part in (0, 1))
    pictures = [picture for question in questions for clip in question.clips for picture in clip.pictures]
    mega_bytes = share * sum(map(len, pictures)) / 1e6
    num_questions = -(-len(indices) // args.batch_size)
    lines = [
        f'{_count(len(indices), "clip")} in {_count(num_questions, "question")} to {args.model} at {args.base_url}',
        f'about {tokens_in:,} tokens and {mega_bytes:.1f} MB of pictures to send, {tokens_out:,} tokens to receive,',
        'if every question is asked once; an answer that cannot be read is asked for again',
    ]
    if args.price_in is not None or args.price_out is not None:
        cost = ((args.price_in or 0) * tokens_in + (args.price_out or 0) * tokens_out) / 1e6
        lines.append(f'about {cost:.2f} at the given prices')
    return '\n'.join(lines)


def confirm(args: argparse.Namespace) -> None:
    """Asks whether to send.

    Raises:
        ValueError: If the answer is no, or nobody can be asked.
    """
    if args.yes:
        return
    if not sys.stdin.isatty():
        raise ValueError('nothing was sent: confirm the estimate with --yes')
    if input('Send this? [y/N] ').strip().lower() not in ('y', 'yes'):
        raise ValueError('nothing was sent')


def write_results(
    folder: Path, dataset: AudioVisualDataset, classes: Sequence[str] | None, outcomes: Sequence[Outcome]
) -> None:
    """Writes the predictions or lists of words, what happened to every clip, and the measures, and prints these."""
    infos = {outcome.index: dataset.get_data_info(outcome.index) for outcome in outcomes}
    lines = [
        json.dumps(dict(sample_id=infos[o.index]['sample_id'], state=o.state, words=o.words, answer=o.answer))
        for o in outcomes
    ]
    write_text(folder / 'outcomes.jsonl', '\n'.join(lines) + '\n')
    if classes is None:
        words = {infos[o.index]['sample_id']: list(o.words) for o in outcomes if o.state == 'answered'}
        write_text(folder / 'words.json', json.dumps(words, indent=1) + '\n')
        print(', '.join(f'{count} {state}' for state, count in Counter(o.state for o in outcomes).items()))
        return
    known = {
        index: {name: info[name] for name in ('sample_idx', 'sample_id', 'gt_label') if name in info}
        for index, info in infos.items()
    }
    predictions = as_predictions(outcomes, known, classes)
    if predictions:
        write_predictions(folder / 'predictions.pkl', predictions)
    if any('gt_label' not in info for info in known.values()):
        print('the test set has no labels: predictions alone were written')
        return
    measures: dict[str, Any] = summary(
        outcomes, {index: int(info['gt_label']) for index, info in known.items()}, classes
    )
    write_text(folder / 'measures.json', json.dumps(measures, indent=1) + '\n')
    print(', '.join(f'{measures[state]} {state}' for state in ('answered', 'refused', 'unreadable', 'broken')))
    for name in ('missing_is_wrong', 'answered_only'):
        found = measures[name]
        print(
            f'{name.replace("_", " "):<17} '
            + ('-' if found is None else f'UAR {found["UAR"]:.4f}  WAR {found["WAR"]:.4f}')
        )


def _count(number: int, name: str) -> str:
    return f'{number} {name}' + ('' if number == 1 else 's')


if __name__ == '__main__':
    sys.exit(main())
