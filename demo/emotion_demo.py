"""Recognises emotion in video or sound files: JSON, a table, a timeline picture, and the video with the result in it.

python demo/emotion_demo.py clip.mp4 --out work_dirs/demo --model work_dirs/quickstart/audio_video
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hicmae_mm.apis.files import file_stems
from hicmae_mm.apis.further import give_streams
from hicmae_mm.apis.inferencer import EmotionInferencer
from hicmae_mm.apis.tables import write_frame_csv, write_window_csv
from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.datasets.clips.inputs import ClipInput, as_clips
from hicmae_mm.datasets.faces import CropOptions
from hicmae_mm.datasets.faces.selection import SEVERAL_POLICIES
from hicmae_mm.visualization.overlay import write_overlay

QUICKSTART_MODEL = 'work_dirs/quickstart/audio_video'


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Recognise emotion in video or sound files')
    parser.add_argument(
        'inputs', nargs='+', help='files, folders of files, folders of numbered pictures, or lists of clips (csv, json)'
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/demo'), help='folder of the results (%(default)s)')
    add_model_arguments(parser)
    parser.add_argument(
        '--give',
        nargs='+',
        type=stream_value,
        default=[],
        metavar='STREAM=VALUE',
        help='further streams of the model: text="the words", a transcript (text=talk.srt; also .vtt and .txt), a .npy '
        'file of features, or a folder in which each clip has a file of its own name',
    )
    parser.add_argument('--batch-size', type=int, default=8, help='windows that the model gets at a time (%(default)s)')
    parser.add_argument('--no-overlay', action='store_true', help='write no video, which takes longest')
    return parser.parse_args(argv)


def stream_value(text: str) -> tuple[str, str]:
    """Splits ``STREAM=VALUE``.

    Raises:
        ArgumentTypeError: If the text has another form.
    """
    name, _, value = text.partition('=')
    if not name or not value.strip():
        raise argparse.ArgumentTypeError(f'expected STREAM=VALUE, such as text=talk.srt, got {text!r}')
    return name, value


def add_model_arguments(parser: ArgumentParser) -> None:
    """Adds the options that choose the model and how it looks at a clip. All demos share them."""
    parser.add_argument(
        '--model',
        default=QUICKSTART_MODEL,
        help='folder of a training or of published weights, config name or path, weights with their config, or '
        'ORGANISATION/NAME of the Hugging Face hub (default: the model of tools/quickstart.sh)',
    )
    parser.add_argument('--weights', help="checkpoint; default: the model's own (an exported folder for onnxruntime)")
    parser.add_argument(
        '--trust-source',
        action='store_true',
        help='RUNS WHATEVER CODE THE CONFIG OF A FOLDER HOLDS, instead of reading it as data',
    )
    parser.add_argument('--backend', choices=['torch', 'onnxruntime'], default='torch', help='default: torch')
    parser.add_argument('--device', help='cpu, cuda, cuda:1 ...; default: the best there is')
    parser.add_argument('--streams', nargs='+', help='use only these, such as video audio text')
    parser.add_argument(
        '--missing-streams',
        choices=['error', 'zero'],
        help='clips without a face or sound: error, or zero, do without; default: what the model was trained for',
    )
    parser.add_argument(
        '--face-cropper',
        default='auto',
        help="auto, none (the pictures are faces), or a face cropper's name, such as HaarCascade (default: auto, which "
        'is YuNet except for small square pictures)',
    )
    parser.add_argument(
        '--face-cropper-options',
        nargs='+',
        action=OverrideAction,
        metavar='KEY=VALUE',
        help='arguments of the cropper, such as score_threshold=0.7',
    )
    parser.add_argument('--several', choices=SEVERAL_POLICIES, help='choice among several faces (track: one person)')
    parser.add_argument('--window-seconds', type=float, help="default: what the model sees at a time; 'inf': the clip")
    parser.add_argument('--stride-seconds', type=float, help='default: half a window')


def build_inferencer(args: argparse.Namespace) -> EmotionInferencer:
    """Builds the model that the command line names.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it cannot be used.
    """
    is_exported = args.backend == 'onnxruntime' and args.weights is not None
    if args.model == QUICKSTART_MODEL and not is_exported and not Path(QUICKSTART_MODEL).is_dir():
        raise FileNotFoundError(f'{QUICKSTART_MODEL} is not there: run tools/quickstart.sh, or name a --model')
    return EmotionInferencer(
        args.model,
        args.weights,
        device=args.device,
        backend=args.backend,
        face_cropper=face_cropper_of(args),
        crop_options=None if args.several is None else CropOptions(several=args.several),
        missing_streams=args.missing_streams,
        trust_source=args.trust_source,
    )


def face_cropper_of(args: argparse.Namespace) -> dict[str, Any] | None:
    """Returns the config of the face cropper. None means that the pictures are faces.

    Raises:
        ValueError: If there are options without a cropper.
    """
    if args.face_cropper.lower() != 'none':
        return dict(args.face_cropper_options or {}, type=args.face_cropper)
    if args.face_cropper_options or args.several:
        raise ValueError('--face-cropper none looks for no faces: leave --face-cropper-options and --several out')
    return None


def report(result: dict[str, Any]) -> None:
    """Prints a clip's result."""
    if 'error' in result:
        print(f'error: {result["error"]}', file=sys.stderr)
        return
    for kind, form in (('scores', '{:.0%}'), ('values', '{:.2f}')):
        if result[kind]:
            ranked = sorted(result[kind].items(), key=lambda item: -item[1])[:3]
            said = ', '.join(f'{name} {form.format(value)}' for name, value in ranked)
            seconds = result['duration_seconds']
            length = '' if seconds is None else f'{seconds:.1f} s, '
            print(f'{result["name"]}: {said} ({length}{" and ".join(result["streams"])})')
    for warning in result['warnings']:
        print(f'  note: {warning}')


def run(args: argparse.Namespace) -> int:
    """Recognises and writes; returns the number of clips that failed."""
    for path in args.inputs:  # before the model is built, which takes seconds
        if not Path(path).expanduser().exists():
            raise FileNotFoundError(f'{path}: no such file or folder')
    inferencer = build_inferencer(args)
    clips = give_streams(as_clips(list(args.inputs), others=inferencer.readings), dict(args.give))
    results = inferencer(
        clips,
        batch_size=args.batch_size,
        window_seconds=args.window_seconds,
        stride_seconds=args.stride_seconds,
        streams=args.streams,
        out_dir=args.out,
        on_error='skip',
    )['predictions']
    for clip, result, stem in zip(clips, results, file_stems(results), strict=True):
        report(result)
        if 'error' not in result:
            write_window_csv(result, args.out / f'{stem}.csv')
            if result['frames'] is not None:
                write_frame_csv(result, args.out / f'{stem}_frames.csv')
            write_video(result, clip, args.out / f'{stem}.mp4', args)
    if any('error' not in result for result in results):
        print(f'results are in {args.out}')
    return sum('error' in result for result in results)


def write_video(result: dict[str, Any], clip: ClipInput, path: Path, args: argparse.Namespace) -> None:
    """Writes the overlay of a clip with pictures."""
    if args.no_overlay or clip.video is None:
        return
    if isinstance(clip.video, Path) and path.resolve() == clip.video.resolve():
        raise ValueError(f'--out {args.out} is the folder of {clip.name} itself, which the overlay would replace')
    write_overlay(result, clip, path)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Recognises emotion."""
    args = parse_args(argv)
    return 1 if run(args) else 0


if __name__ == '__main__':
    sys.exit(main())
