from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hicmae_mm.apis import EmotionInferencer
from hicmae_mm.apis.web import EmotionService, Limits
from hicmae_mm.apis.web.uploads import Uploads, upload_folder
from tests.apis.test_further import build

Make = Callable[..., EmotionInferencer]


@pytest.fixture(scope='module')
def folder() -> Iterator[Path]:
    with upload_folder() as path:
        yield path


def test_a_model_with_words_has_a_field_for_them(folder: Path, tmp_path: Path):
    (tmp_path / 'words.txt').write_text('[UNK]\nno\n')
    app, _ = page(folder, lambda: build('text_audio_video', tmp_path))
    fields = [block.label for block in app.blocks.values() if block.get_block_name() == 'textbox']
    assert fields == ['What is said']
    said = ' '.join(str(block.value) for block in app.blocks.values() if block.get_block_name() == 'html')
    assert 'reads from face and voice, and from the words' in said


def page(folder: Path, make_inferencer: Make, **options: object) -> tuple[object, dict]:
    from hicmae_mm.apis.web.app import build_app, launch_options
    from hicmae_mm.apis.web.visits import Visits

    service = EmotionService(lambda: make_inferencer(**options), Limits(max_megabytes=3, max_seconds=7), num_models=2)
    visits = Visits(service, Uploads(folder, 30_000_000))
    return build_app(visits, max_waiting=5), launch_options(visits, max_waiting=5)


@pytest.mark.slow
def test_the_page(folder: Path, make_inferencer: Make):
    app, options = page(folder, make_inferencer)
    assert app._queue.max_size == 5
    assert app._queue.default_concurrency_limit == 2
    assert options['state_session_capacity'] == 7  # a session holds its last result
    assert not app.analytics_enabled
    assert (options['max_file_size'], options['share'], options['run_history']) == (3_000_000, False, False)
    assert '{"maxBytes": 3000000, "maxMegabytes": 3}' in options['js']
    said = ' '.join(str(block.value) for block in app.blocks.values() if block.get_block_name() == 'html')
    for words in ('7 seconds, 3 MB', 'tiny', 'deleted', 'agreed', 'Never use them for decisions about people'):
        assert words in said
    assert 'synthetic' not in said
    public = {fn.api_name for fn in app.fns.values() if fn.fn is not None and fn.api_visibility != 'private'}
    assert public == {'analyse'}


@pytest.mark.slow
def test_ways_in_are_those_of_the_model(folder: Path, make_inferencer: Make):
    def tabs(**options: object) -> list[str]:
        app, _ = page(folder, make_inferencer, **options)
        return [block.label for block in app.blocks.values() if block.get_block_name() == 'tabitem']

    assert tabs() == ['File', 'Camera']
    assert tabs(missing_streams='zero') == ['File', 'Camera', 'Microphone']
