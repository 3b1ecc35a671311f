"""Requests to a real server, as others than the page could send them."""

from __future__ import annotations

import contextlib
import re
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from hicmae_mm.apis import EmotionInferencer
from hicmae_mm.apis.web import EmotionService, Limits
from hicmae_mm.apis.web.uploads import Uploads, upload_folder
from tests.conftest import MediaFolder

pytestmark = pytest.mark.slow  # importing Gradio takes seconds


@dataclass
class Running:
    """A server in this process."""

    address: str
    app: Any
    uploads: Uploads
    service: EmotionService
    temporary: Path

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return httpx.request(method, f'{self.address}{path}', timeout=30, **options)

    def upload(self, name: str, content: bytes, **options: Any) -> httpx.Response:
        return self.request('POST', 'gradio_api/upload', files={'files': (name, content)}, **options)

    def files(self) -> list[Path]:
        return [path for path in self.temporary.rglob('*') if path.is_file() and path.name != '.lock']

    def files_after(self, seconds: float = 30.0) -> list[Path]:
        """What is left once there was time to tidy up."""
        end = time.monotonic() + seconds
        while self.files() and time.monotonic() < end:
            time.sleep(0.02)
        return self.files()


@pytest.fixture(scope='module')
def running(
    make_inferencer: Callable[..., EmotionInferencer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    temporary = tmp_path_factory.mktemp('temporary')
    patch = pytest.MonkeyPatch()
    patch.setattr(tempfile, 'tempdir', str(temporary))
    service = EmotionService(lambda: make_inferencer(missing_streams='zero'), Limits(max_megabytes=1, max_seconds=8))
    with upload_folder() as folder:
        from hicmae_mm.apis.web.app import build_app, launch_options
        from hicmae_mm.apis.web.visits import Visits

        uploads = Uploads(folder, 4_000_000)
        visits = Visits(service, uploads)
        page = build_app(visits, max_waiting=2)
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            port = probe.getsockname()[1]
        options = launch_options(visits, 2)
        app, address, _ = page.launch(server_name='127.0.0.1', server_port=port, prevent_thread_lock=True, **options)
        yield Running(address, app, uploads, service, temporary)
        page.close(verbose=False)
    patch.undo()


def paths_of(routes: Any) -> Iterator[tuple[str, str]]:
    """Method and path of every route, with its parameters filled in."""
    for route in routes:
        inner = getattr(route, 'original_router', None) or getattr(route, 'router', None)
        if inner is not None:
            yield from paths_of(inner.routes)
        for method in getattr(route, 'methods', None) or ():
            yield method, re.sub(r'\{(\w+)(:\w+)?\}', '1', route.path)


def test_every_route_that_takes_something_is_known(running: Running):
    routes = sorted(set(paths_of(running.app.routes)))
    written = {path.rstrip('/') for method, path in routes if method not in ('GET', 'HEAD')}
    assert {'/gradio_api/process_recording', '/gradio_api/component_server', '/gradio_api/upload'} <= written
    wanted = {f'/gradio_api/{name}' for name in ('upload', 'queue/join', 'run/predict', 'cancel', 'reset')}
    form = {'files': ('a.mp4', b'1' * 1000), 'video': ('a.mp4', b'1' * 1000)}
    for path in sorted(written - wanted):
        for options in (dict(files=form), dict(json=dict(data=[])), dict(content=b'1' * 1000)):
            answer = running.request('POST', path[1:], **options)
            assert (path, answer.status_code) == (path, 404)
    assert running.files() == []


@pytest.mark.parametrize(
    'path',
    [
        'gradio_api/file=/etc/hostname',
        'gradio_api/file=http://127.0.0.1:1/x',
        'gradio_api/file=https://example.com/x',
        'gradio_api/proxy=https://example.hf.space/x',
        'gradio_api/stream/1/1/1/playlist.m3u8',
        'gradio_api/vibe-code',
        'gradio_api/runs',
        'gradio_api/deep_link?session_hash=a',
        'gradio_api/custom_component/1/client/component/style.css',
        'monitoring',
        'pwa_icon',
        'static/..%2f..%2f..%2fetc/hostname',
        'assets/%2e%2e/%2e%2e/gradio/routes.py',
        'docs',
    ],
)
def test_what_is_not_there(path: str, running: Running):
    assert running.request('GET', path).status_code == 404


@pytest.mark.parametrize('method', ['PUT', 'DELETE', 'PATCH', 'TRACE'])
def test_other_methods(method: str, running: Running):
    assert running.request(method, '').status_code == 404


def test_headers(running: Running):
    for path in ('', 'config', 'nowhere', 'gradio_api/info'):
        headers = running.request('GET', path).headers
        assert headers['x-frame-options'] == 'DENY'
        assert "frame-ancestors 'none'" in headers['content-security-policy']
        assert headers['x-content-type-options'] == 'nosniff'
        assert headers['referrer-policy'] == 'same-origin'


@pytest.mark.parametrize(
    ('headers', 'status'),
    [
        ({'Host': 'localhost:1'}, 200),
        ({'Host': 'evil.example'}, 421),
        ({'Host': '127.0.0.1.evil.example'}, 421),
        ({'Host': ''}, 421),
        ({'Origin': 'http://localhost:7860'}, 200),
        ({'Origin': 'https://evil.example'}, 403),
        ({'Origin': 'null'}, 403),
    ],
)
def test_names_of_the_server(headers: dict[str, str], status: int, running: Running):
    assert running.request('GET', 'config', headers=headers).status_code == status
    assert running.upload('a.mp4', b'1', headers=headers).status_code == status
    for path in running.files():
        running.uploads.remove(path)


def test_large_uploads_are_refused(running: Running):
    answer = running.upload('big.mp4', bytes(1_000_001))
    assert answer.status_code == 413
    assert running.upload('big.mp4', bytes(3_000_000)).status_code == 413

    def parts() -> Iterator[bytes]:  # says no length
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.mp4"\r\n\r\n'
        for _ in range(40):
            yield bytes(100_000)

    kind = {'Content-Type': 'multipart/form-data; boundary=x'}
    with contextlib.suppress(httpx.TransportError):  # it may be cut off while it is still sending
        assert running.request('POST', 'gradio_api/upload', content=parts(), headers=kind).status_code == 413
    assert running.files_after() == []


@pytest.mark.parametrize(
    ('body', 'status'),
    [
        (dict(files=[('files', ('a.mp4', b'1')), ('files', ('b.mp4', b'2'))]), 400),
        (dict(files={'files': ('a.mp4', b'1')}, data={'note': 'x' * 70_000}), 400),
        (dict(data={'note': 'x'}), 400),
        (dict(content=b'1', headers={'Content-Type': 'multipart/form-data'}), 400),
        (dict(content=b'1' * 100, headers={'Content-Type': 'multipart/form-data; boundary=x'}), 400),
        (dict(content=b'1'), 400),
    ],
)
def test_uploads_are_one_file(body: dict, status: int, running: Running):
    assert running.request('POST', 'gradio_api/upload', **body).status_code == status
    assert running.files() == []


def test_an_upload_that_breaks_off_leaves_nothing(running: Running):
    server = urlsplit(running.address)
    head = (
        f'POST /gradio_api/upload HTTP/1.1\r\nHost: {server.netloc}\r\nContent-Length: 900000\r\n'
        'Content-Type: multipart/form-data; boundary=x\r\n\r\n'
        '--x\r\nContent-Disposition: form-data; name="files"; filename="a.mp4"\r\n\r\n'
    )
    with socket.create_connection((server.hostname, server.port)) as line:
        line.sendall(head.encode() + bytes(200_000))
        end = time.monotonic() + 10
        while not running.files() and time.monotonic() < end:
            time.sleep(0.02)
        assert len(running.files()) == 1
    assert running.files_after() == []


def test_no_more_than_there_is_room_for(running: Running):
    answers = [running.upload(f'{number}.mp4', bytes(900_000)).status_code for number in range(6)]
    assert answers == [200] * 4 + [503] * 2
    for path in running.files():
        running.uploads.remove(path)


def ask(running: Running, path: str, session: str, fn_name: str = 'analyse') -> httpx.Response:
    numbers = {event['api_name']: event['id'] for event in running.request('GET', 'config').json()['dependencies']}
    value = dict(path=path, meta=dict(_type='gradio.FileData'))
    question = dict(data=[value], fn_index=numbers[fn_name], session_hash=session)
    return running.request('POST', 'gradio_api/queue/join', json=question)


def answer_to(running: Running, session: str) -> str:
    return running.request('GET', f'gradio_api/queue/data?session_hash={session}').text


@pytest.mark.parametrize(
    'path',
    ['http://127.0.0.1:1/a.mp4', 'https://example.com/a.mp4', '/etc/hostname', '../x', 'a', '//x/y', 'file:///x'],
)
def test_only_uploads_are_analysed(path: str, running: Running):
    assert ask(running, path, 'visitor').status_code == 403


def test_bodies_that_are_no_questions(running: Running):
    for content, status in ((b'{', 400), (b'[' * 60_000, 400), (b' ' * 100_000, 413)):
        assert running.request('POST', 'gradio_api/queue/join', content=content).status_code == status


def test_an_upload_goes_with_its_analysis(running: Running, media: MediaFolder):
    for path, said in ((media.video('talk.mp4', num_frames=25), '"label"'), (media.root / 'bad.mp4', 'cannot be read')):
        if not path.exists():
            path.write_bytes(b'hello' * 100)
        (place,) = running.upload(path.name, path.read_bytes()).json()
        assert running.request('GET', f'gradio_api/file={place}').content == path.read_bytes()
        assert ask(running, place, 'program').status_code == 200
        assert said in answer_to(running, 'program')
        assert running.files() == []
        assert running.request('GET', f'gradio_api/file={place}').status_code in (403, 404)
    assert ask(running, place, 'late').status_code == 200
    assert 'no longer here' in answer_to(running, 'late')


def test_the_file_of_a_visitor_who_leaves_goes_and_the_work_stops(
    running: Running, media: MediaFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    analyse = running.service._analyse

    def slow(*arguments: Any) -> Any:
        begun.set()
        go_on.wait(20)
        try:
            return analyse(*arguments)
        finally:
            ended.set()

    monkeypatch.setattr(running.service, '_analyse', slow)
    path = media.video('talk.mp4', num_frames=25)
    content = path.read_bytes()
    places = [running.upload('talk.mp4', content).json()[0] for _ in range(2)]
    with httpx.stream('GET', f'{running.address}gradio_api/heartbeat/leaver'):
        for place in places:  # one runs, one waits
            assert ask(running, place, 'leaver').status_code == 200
        with httpx.stream('GET', f'{running.address}gradio_api/queue/data?session_hash=leaver', timeout=30) as events:
            next(events.iter_lines())
            assert begun.wait(20)
        time.sleep(0.5)
        assert running.files() == []
        go_on.set()
        assert ended.wait(20)
    assert running.files_after() == []
    assert [record for record in caplog.records if record.levelname == 'ERROR'] == []
