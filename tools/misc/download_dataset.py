"""Downloads an open corpus from where its owners publish it: RAVDESS (Zenodo) or CREMA-D (GitHub).

    python tools/misc/download_dataset.py ravdess --out-dir /corpora/RAVDESS --streams audio --accept-licence

Shows the licence first. Run again after an interruption, it continues. See docs/datasets/.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from hicmae_mm.datasets.downloads import DOWNLOADS, CorpusFile, PublishedCorpus, download_files, num_missing_bytes

LINES_IN_A_LOG = 20  # where there is no terminal to draw a bar on


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Download an open corpus from its owners.')
    parser.add_argument('corpus', choices=DOWNLOADS, help='name of the corpus')
    parser.add_argument('--out-dir', type=Path, help='folder of the corpus; default: data/raw/CORPUS')
    parser.add_argument('--streams', choices=('audio', 'video', 'both'), default='both', help='default: both')
    parser.add_argument(
        '--accept-licence', action='store_true', help='I have read the licence that this command shows, and accept it'
    )
    parser.add_argument('--list', action='store_true', help='print the files and their sizes, and fetch none')
    parser.add_argument('--no-extract', action='store_true', help='leave archives as they are')
    parser.add_argument('--base-url', help='a mirror that has the same files under the same paths')
    args = parser.parse_args(argv)
    args.out_dir = args.out_dir or Path('data/raw') / args.corpus
    return args


def list_files(corpus: PublishedCorpus, args: argparse.Namespace) -> list[CorpusFile]:
    """Asks the owners, which takes minutes where every file is asked for."""
    streams = ('audio', 'video') if args.streams == 'both' else (args.streams,)
    asked = 0
    console = Console(stderr=True)
    with console.status('asking for the list of files') as status:

        def progress(num_answers: int) -> None:
            nonlocal asked
            asked += num_answers
            if asked % 50 == 0:
                status.update(f'asking for the list of files: {asked}')

        return corpus.list_files(streams, args.out_dir, progress)


def fetch_all(corpus: PublishedCorpus, files: Sequence[CorpusFile], args: argparse.Namespace) -> None:
    """Fetches, and shows how far it is."""
    missing = num_missing_bytes(files, args.out_dir, not args.no_extract)
    total = sum(file.size for file in files)
    print(f'{len(files)} files, {total / 1e6:.1f} MB, of which {missing / 1e6:.1f} MB are to be fetched', flush=True)
    console = Console(stderr=True)
    columns = (TextColumn('{task.description}'), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(corpus.title, total=missing)
        received, shown = 0, 0

        def progress(num_bytes: int) -> None:
            nonlocal received, shown
            bar.advance(task, num_bytes)
            received += num_bytes
            if not console.is_terminal and received - shown >= missing / LINES_IN_A_LOG:
                shown = received
                print(f'{received / 1e6:.1f} of {missing / 1e6:.1f} MB', flush=True)

        download_files(files, args.out_dir, corpus.num_connections, not args.no_extract, progress)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Downloads; returns the exit status."""
    args = parse_args(argv)
    corpus = DOWNLOADS[args.corpus](args.base_url)
    print(corpus.licence_text(), flush=True)
    if not args.list and not args.accept_licence:
        raise PermissionError('read the licence above; --accept-licence says that you accept it')
    try:
        files = list_files(corpus, args)
        if args.list:
            print('\n'.join(f'{file.size:>13,} {file.source.checksum} {file.name}' for file in files))
            print(f'{sum(file.size for file in files):>13,} bytes in {len(files)} files')
            return 0
        fetch_all(corpus, files, args)
    except KeyboardInterrupt:
        raise KeyboardInterrupt('the same command continues here') from None
    except BrokenPipeError:  # of this command's own output
        raise
    except ConnectionError as error:
        raise ConnectionError(f'{error}; the same command continues here') from error
    print(f'complete: {args.out_dir}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
