"""Starts a web page that shows the emotion in a video or sound file, or in a recording of camera and microphone.

python demo/web_app.py --model work_dirs/quickstart/audio_video
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import ipaddress
import signal
import socket
import sys
import threading
from collections.abc import Sequence

from emotion_demo import add_model_arguments, build_inferencer

from hicmae_mm.apis.web.hosts import ANY_ADDRESS, LOCAL_HOSTS
from hicmae_mm.apis.web.limits import Limits
from hicmae_mm.apis.web.service import EmotionService, Windows
from hicmae_mm.apis.web.uploads import Uploads, upload_folder

_SWEEP_SECONDS = 30.0


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='A web page that shows the emotion in recordings')
    add_model_arguments(parser)
    parser.add_argument('--host', default='127.0.0.1', help='address to listen at (default: this machine only)')
    parser.add_argument('--port', type=int, default=7860, help='default: 7860; 0 takes any that is free')
    parser.add_argument('--root-path', help='path under which a proxy serves the page, such as /emotion')
    parser.add_argument('--max-megabytes', type=float, default=100.0, help='largest upload (default: 100)')
    parser.add_argument('--max-seconds', type=float, default=120.0, help='longest recording (default: 120)')
    parser.add_argument(
        '--max-analysis-seconds',
        type=float,
        default=600.0,
        help='longest time that an analysis may take (default: 600)',
    )
    parser.add_argument(
        '--allowed-hosts', nargs='+', default=(), metavar='NAME',
        help='names by which visitors call this server, such as that of its proxy (default: those of this machine)',
    )  # fmt: skip
    parser.add_argument('--workers', type=int, default=1, help='clips at once, each with its own model (default: 1)')
    parser.add_argument('--max-waiting', type=int, default=20, help='visitors that may wait in line (default: 20)')
    parser.add_argument('--open', action='store_true', help='open the page in a browser')
    return parser.parse_args(argv)


def is_local(host: str) -> bool:
    """Tells whether an address can be reached only from this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'


def allowed_hosts(host: str, names: Sequence[str]) -> list[str]:
    """Returns the names by which browsers may call the server.

    Args:
        host: Address that it listens at.
        names: Further names.
    """
    listens_everywhere = host in ('0.0.0.0', '::', '[::]')
    return [*LOCAL_HOSTS, ANY_ADDRESS if listens_everywhere else host, *names]


def serve(args: argparse.Namespace) -> None:
    """Serves until it is interrupted; then every upload is gone."""
    limits = Limits(args.max_megabytes, args.max_seconds, args.max_analysis_seconds)
    windows = Windows(args.window_seconds, args.stride_seconds, args.streams)
    service = EmotionService(lambda: build_inferencer(args), limits, windows, args.workers)
    with upload_folder() as folder:
        try:
            from hicmae_mm.apis.web.app import build_app, launch_options
            from hicmae_mm.apis.web.visits import Visits
        except ImportError as error:
            raise ImportError(f'the web page needs Gradio: pip install "hicmae_mm[web]" ({error})') from error
        uploads = Uploads(folder, limits.max_bytes * (args.max_waiting + args.workers + 1))
        visits = Visits(service, uploads)
        app = build_app(visits, args.max_waiting)
        if not is_local(args.host):
            print(
                f'warning: {args.host} can be reached from other machines. The page has neither passwords nor '
                'encryption: put it behind a proxy that has (docs/web.md)',
                file=sys.stderr,
            )
        _, address, _ = app.launch(
            server_name=args.host,
            server_port=args.port or _free_port(args.host),
            root_path=args.root_path,
            inbrowser=args.open,
            prevent_thread_lock=True,
            **launch_options(visits, args.max_waiting, allowed_hosts(args.host, args.allowed_hosts)),
        )
        print(f'{service.model} is at {address} (Ctrl+C ends it)', flush=True)
        try:
            _sweep_until_signal(uploads)
        finally:
            app.close(verbose=False)


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _sweep_until_signal(uploads: Uploads) -> None:
    stopped = threading.Event()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    while not stopped.wait(_SWEEP_SECONDS):
        uploads.sweep()


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Serves the page."""
    args = parse_args(argv)
    serve(args)
    return 0


if __name__ == '__main__':
    sys.exit(main())
