"""The web page in a real browser, and the server as a process of its own."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.soak_web import KINDS, serve, soak, write_clip
from tests.conftest import MediaFolder
from tests.test_demo.demos import DEMO, load_demo

NO_BROWSER = 'HICMAE_NO_BROWSER'
_SECONDS = 1000.0  # in milliseconds, Playwright's unit
_PATIENCE = 60 * _SECONDS


def find_browser() -> str:
    """Path of Chromium; its absence fails the test unless the user says that there is none."""
    found = shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')
    if found is None and os.environ.get(NO_BROWSER) == '1':
        pytest.skip(f'no browser ({NO_BROWSER}=1)')
    assert found is not None, f'no Chromium: apt-get install chromium, or set {NO_BROWSER}=1 to leave its tests out'
    return found


@pytest.fixture(scope='module')
def executable() -> str:
    return find_browser()


@pytest.fixture(scope='module')
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('temporary')


@pytest.fixture(scope='module')
def address(weights: Path, temporary: Path) -> Iterator[str]:
    command = [
        sys.executable, str(DEMO / 'web_app.py'), '--model', str(weights), '--device', 'cpu', '--port', '0',
        '--face-cropper', 'none', '--missing-streams', 'zero', '--window-seconds', '0.5', '--max-seconds', '8',
        '--max-megabytes', '2',
    ]  # fmt: skip
    environment = {**os.environ, 'TMPDIR': str(temporary)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            found = next((match for line in server.stdout if (match := re.search(r'http://\S+', line))), None)
            assert found is not None, 'the server did not start'
            yield found.group()
            server.send_signal(signal.SIGINT)
            assert server.wait(30) == 0
            assert list(temporary.glob('hicmae_web_*')) == []  # nothing is left on disk
        finally:
            server.kill()


@pytest.fixture(scope='module')
def browser(executable: str, address: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    arguments = ['--no-sandbox', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--mute-audio']
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield chromium
        chromium.close()


Open = Callable[..., Any]


@pytest.fixture
def open_page(browser: Any, address: str) -> Iterator[Open]:
    """Opens the page as one visitor; in the end, no page may have complained or asked another machine for anything."""
    complaints: list[str] = []
    contexts = []

    def listen(page: Any) -> None:
        page.on('console', lambda message: complaints.append(message.text) if message.type == 'error' else None)
        page.on('pageerror', lambda error: complaints.append(str(error)))
        own = (address, 'data:', f'blob:{address}')
        page.on('request', lambda request: None if request.url.startswith(own) else complaints.append(request.url))

    def open_it(width: int = 1280, scheme: str = 'light') -> Any:
        context = browser.new_context(viewport=dict(width=width, height=850), color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(_PATIENCE)
        listen(page)
        page.goto(address)
        page.wait_for_selector('#hm-file input[type=file]', state='attached')
        page.wait_for_selector('.hm-empty')
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []


def analyse(page: Any, path: Path) -> None:
    page.set_input_files('#hm-file input[type=file]', str(path))
    page.wait_for_selector(f'#hm-file :text("{path.stem}")')
    page.click('#hm-analyse-file')


def contents(temporary: Path) -> list[Path]:
    return [path for path in temporary.rglob('*') if path.is_file() and path.stat().st_size > 0]


def cursor_seconds(page: Any) -> float:
    return float(page.get_attribute('.hm-slider', 'aria-valuenow'))


def cursor_share(page: Any) -> float:
    """Where the line stands on the time axis, 0..1."""
    return page.evaluate(
        """() => {
            const line = document.querySelector('.hm-cursor').getBoundingClientRect();
            const faces = document.querySelector('.hm-faces').getBoundingClientRect();
            return (line.left + line.width / 2 - faces.left) / faces.width;
        }"""
    )


@pytest.mark.slow
def test_the_timeline_moves_with_the_player(open_page: Open, media: MediaFolder, temporary: Path, tmp_path: Path):
    page = open_page()
    analyse(page, media.video('talk.mp4', num_frames=75))
    page.wait_for_selector('.hm-result video')
    assert contents(temporary) == []  # the upload is gone, the player has the browser's own copy
    page.wait_for_function("document.querySelector('.hm-result video').readyState >= 2")
    assert page.evaluate("document.querySelector('.hm-result video').duration") == pytest.approx(3.0, abs=0.1)
    assert page.locator('.hm-faces img').count() == 12
    assert page.locator('.hm-tracks image').count() == 1  # the spectrogram
    assert cursor_share(page) == pytest.approx(0, abs=0.01)

    page.evaluate("document.querySelector('.hm-result video').currentTime = 1.5")
    page.wait_for_function("document.querySelector('.hm-slider').getAttribute('aria-valuenow') === '1.50'")
    assert cursor_share(page) == pytest.approx(0.5, abs=0.01)
    page.focus('.hm-slider')
    page.keyboard.press('PageUp')
    assert page.evaluate("document.querySelector('.hm-result video').currentTime") == pytest.approx(2.5)
    assert re.fullmatch(r'0:02\.5, (high|low) \d+ %', page.get_attribute('.hm-slider', 'aria-valuetext'))
    box = page.locator('.hm-faces').bounding_box()
    page.mouse.click(box['x'] + box['width'] / 4, box['y'] - 60)
    assert cursor_seconds(page) == pytest.approx(0.75, abs=0.03)
    page.evaluate("document.querySelector('.hm-result video').play()")
    page.wait_for_function("Number(document.querySelector('.hm-slider').getAttribute('aria-valuenow')) > 1")

    page.set_viewport_size(dict(width=760, height=850))  # the table is wider, and scrolls in itself
    page.evaluate("document.querySelector('.hm-result details').open = true")
    table = page.locator('.hm-scroll')
    assert table.evaluate('it => it.scrollWidth') > table.evaluate('it => it.clientWidth')
    assert page.evaluate("document.querySelector('#hm-result').scrollWidth <= innerWidth")

    saved = {}
    for kind in ('json', 'csv'):
        with page.expect_download() as download:
            page.click(f'#hm-save-{kind}')
        assert download.value.suggested_filename == f'talk.{kind}'
        download.value.save_as(tmp_path / kind)
        saved[kind] = (tmp_path / kind).read_text()
    result = json.loads(saved['json'])
    assert (result['name'], result['duration_seconds']) == ('talk.mp4', 3.0)
    assert len(list(csv.DictReader(saved['csv'].splitlines()))) == len(result['windows']) == 11


@pytest.mark.slow
def test_problems_are_explained(open_page: Open, media: MediaFolder, temporary: Path):
    page = open_page()

    def title() -> str:
        page.wait_for_selector('.hm-problem')
        said = page.inner_text('.hm-problem h2')
        assert page.get_attribute('.hm-problem', 'role') == 'alert'
        return said

    page.click('#hm-analyse-file')
    assert title() == 'There is nothing to analyse yet.'
    text = media.root / 'notes.txt'
    text.write_text('dear diary\n' * 100)
    for path, said in (
        (text, 'This file cannot be read as a video or sound.'),
        (text, 'This file cannot be read as a video or sound.'),
        (media.video('long.mp4', num_frames=250), 'This recording is longer than 8 seconds.'),
    ):
        analyse(page, path)
        page.wait_for_selector(f'.hm-problem h2:text-is("{said}")')
        assert title() == said
    big = media.root / 'big.mp4'
    big.write_bytes(bytes(2_100_000))
    page.set_input_files('#hm-file input[type=file]', str(big))
    page.wait_for_selector('.hm-problem h2:text-is("This file is larger than 2 MB.")')
    assert contents(temporary) == []


def send_until_answered(request: urllib.request.Request) -> None:
    """Sends a request. The server may close the connection while urllib still sends, and its answer is then lost."""
    for _ in range(10):
        try:
            urllib.request.urlopen(request)
        except urllib.error.URLError as error:
            if not isinstance(error.reason, (BrokenPipeError, ConnectionResetError)):
                raise


@pytest.mark.slow
def test_the_server_takes_no_large_files(address: str, temporary: Path):
    body = (
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.mp4"\r\n\r\n'
        + bytes(2_100_000)
        + b'\r\n--x--'
    )
    headers = {'Content-Type': 'multipart/form-data; boundary=x'}
    request = urllib.request.Request(f'{address}gradio_api/upload', body, headers)
    with pytest.raises(urllib.error.HTTPError, match='413'):
        send_until_answered(request)
    assert contents(temporary) == []


@pytest.mark.slow
def test_the_call_of_a_program_in_the_docs(
    address: str, media: MediaFolder, temporary: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    from gradio_client import Client, handle_file
    from gradio_client.exceptions import AppError

    page = (DEMO.parent / 'docs' / 'web.md').read_text(encoding='utf-8')
    (code,) = re.findall(r'```python\n(.*?)```', page, re.DOTALL)
    media.video('talk.mp4', num_frames=50)
    monkeypatch.chdir(media.root)
    exec(code.replace('http://127.0.0.1:7860/', address), {})
    label, scores = capsys.readouterr().out.splitlines()[-1].split(' ', 1)
    assert f"'{label}': " in scores
    media.video('long.mp4', num_frames=250)
    with pytest.raises(AppError, match='longer than 8 seconds. Cut it shorter'):
        Client(address, verbose=False).predict(handle_file('long.mp4'), api_name='/analyse')
    assert contents(temporary) == []


@pytest.mark.slow
def test_leaving_in_the_middle(open_page: Open, media: MediaFolder, temporary: Path):
    page = open_page()
    path = media.video('long.mp4', num_frames=195, height=320, width=320)
    analyse(page, path)
    page.wait_for_timeout(0.1 * _SECONDS)
    page.close()
    end = time.monotonic() + 10
    while contents(temporary) and time.monotonic() < end:
        time.sleep(0.05)
    assert contents(temporary) == []


@pytest.mark.slow
def test_many_uploads_keep_neither_memory_nor_files(weights: Path, tmp_path: Path):
    (tmp_path / 'server').mkdir()
    clips = [write_clip(tmp_path / f'clip.{kind}') for kind in KINDS]
    with serve(str(weights), tmp_path / 'server', '--face-cropper', 'none') as server:
        memory = soak(server, clips, num_uploads=60, every=20)
        assert server.files() == []
    assert len(memory) == 3
    assert max(memory) / memory[0] < 1.02
    assert list((tmp_path / 'server').glob('hicmae_web_*')) == []


@pytest.mark.slow
def test_two_visitors_with_the_same_file(open_page: Open, media: MediaFolder, temporary: Path):
    path = media.video('shared.mp4', num_frames=50)
    first, second = open_page(), open_page(width=390, scheme='dark')
    for page in (first, second):
        page.set_input_files('#hm-file input[type=file]', str(path))
        page.wait_for_selector('#hm-file :text("shared")')
        page.wait_for_timeout(0.3 * _SECONDS)
    for page in (first, second):
        page.click('#hm-analyse-file')
    for page in (first, second):
        page.wait_for_selector('.hm-result video')
    assert contents(temporary) == []
    assert second.evaluate('document.documentElement.scrollWidth') <= 390  # a phone need not scroll sideways
    assert second.evaluate("matchMedia('(prefers-color-scheme: dark)').matches && document.body.matches('.dark')")


@pytest.mark.slow
def test_a_recording_of_camera_and_microphone(open_page: Open, temporary: Path):
    page = open_page()
    page.get_by_role('tab', name='Camera').click()
    page.locator('#hm-camera').get_by_text('Click to Access Webcam').click()
    page.locator('#hm-camera').get_by_text('Record', exact=True).click()
    page.locator('#hm-camera').get_by_text('Stop', exact=True).wait_for()
    seen = page.evaluate("document.querySelector('#hm-camera video').currentTime")  # of the camera's own picture
    page.wait_for_function(f"document.querySelector('#hm-camera video').currentTime > {seen + 4}")
    page.locator('#hm-camera').get_by_text('Stop', exact=True).click()
    page.wait_for_selector('#hm-camera video[src*="gradio_api"]')
    page.click('#hm-analyse-camera')
    page.wait_for_selector('.hm-result video, .hm-problem')
    assert page.locator('.hm-problem').all_inner_texts() == []
    assert page.locator('.hm-wave').count() == 1
    assert contents(temporary) == []


def test_problems_end_in_one_line(weights: Path, capsys: pytest.CaptureFixture):
    main = load_demo('web_app').main
    for arguments, message in (
        (['--model', 'nowhere.pth'], 'nowhere.pth: no such file or folder'),
        (['--model', str(weights), '--max-seconds', '0'], 'max_seconds must be above 0, got 0.0'),
        (['--model', str(weights), '--workers', '0'], 'num_models must be at least 1, got 0'),
    ):
        assert main(arguments) == 1
        assert capsys.readouterr().err.strip().splitlines()[-1] == f'error: {message}'


@pytest.mark.parametrize(
    ('host', 'is_local'),
    [
        ('127.0.0.1', True),
        ('::1', True),
        ('localhost', True),
        ('0.0.0.0', False),
        ('192.168.1.5', False),
        ('pc', False),
    ],
)
def test_which_addresses_others_can_reach(host: str, is_local: bool):
    assert load_demo('web_app').is_local(host) == is_local
