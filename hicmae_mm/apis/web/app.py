"""Build the Gradio page: the inputs, the result, and the information for visitors.

Gradio reads the folder of uploads from an environment variable. So import this module inside of
:func:`~hicmae_mm.apis.web.uploads.upload_folder`.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from hicmae_mm.apis.web.gate import Gate
from hicmae_mm.apis.web.hosts import LOCAL_HOSTS
from hicmae_mm.apis.web.problems import LONGEST_TEXT
from hicmae_mm.apis.web.receiving import Receiver
from hicmae_mm.apis.web.service import EmotionService
from hicmae_mm.apis.web.visits import Visits, source_names

_FONTS = ['system-ui', '-apple-system', 'Segoe UI', 'Roboto', 'Helvetica Neue', 'Arial', 'sans-serif']
_MONO_FONTS = ['ui-monospace', 'Consolas', 'monospace']
_KINDS = {('video', 'audio'): 'face and voice', ('video',): 'face', ('audio',): 'voice'}


def asset(name: str) -> str:
    """Reads a style sheet or a script of the page.

    Args:
        name: Name of the file in the folder ``assets``.

    Returns:
        Its text.
    """
    return (resources.files('hicmae_mm.apis.web') / 'assets' / name).read_text(encoding='utf-8')


def build_app(visits: Visits, max_waiting: int = 20) -> gr.Blocks:
    """Builds the page of a service.

    Args:
        visits: Answers the requests of visitors.
        max_waiting: Number of visitors that may wait. Further visitors get the answer that the server is busy.

    Returns:
        The page.

    Raises:
        ValueError: If ``max_waiting`` is below 1.
    """
    if max_waiting < 1:
        raise ValueError(f'max_waiting must be at least 1, got {max_waiting}')
    service = visits.service
    app = gr.Blocks(title='Emotion in a recording', analytics_enabled=False)
    with app:
        gr.HTML(_introduction(service), elem_id='hm-intro')
        with gr.Row(elem_id='hm-columns', equal_height=False):
            with gr.Column(scale=1, min_width=300, elem_id='hm-input'):
                words = [_text_field()] if service.texts else []
                inputs = _input_tabs(service)
                gr.HTML(_small_print(service), elem_id='hm-print')
            with gr.Column(scale=3, min_width=320):
                result = gr.HTML(
                    value=None,
                    html_template='<div class="hm-stage"></div>',
                    js_on_load=asset('result.js'),
                    elem_id='hm-result',
                    apply_default_css=False,
                    min_height=220,
                )
        sources = [source for source, _ in inputs]
        for source, button in inputs:
            started = button.click(
                visits.view_with_words if words else visits.view,
                [source, *words],
                [result, *sources, *words],
                preprocess=False,  # otherwise Gradio would copy or convert the files
                js='(...inputs) => window.hicmaeRemember(...inputs)',
                concurrency_id='analyse',
                api_visibility='private',
                scroll_to_output=True,
                show_progress_on=result,
            )
            started.failure(None, None, None, js='() => window.hicmaeBusy()', api_visibility='private')
            quiet = dict(queue=False, preprocess=False, api_visibility='private', show_progress='hidden')
            for listen in _events(source, 'upload', 'stop_recording'):
                listen(visits.keep, source, None, **quiet)
            for listen in _events(source, 'clear'):
                listen(visits.forget, None, None, **quiet)
        app.unload(visits.forget)
        analyse = visits.analyse_with_words if words else visits.analyse
        gr.api(analyse, api_name='analyse', concurrency_id='analyse')
    app.queue(max_size=max_waiting, default_concurrency_limit=service.num_models, api_open=False)
    return app


def _input_tabs(service: EmotionService) -> list[tuple[gr.components.Component, gr.Button]]:
    """Makes a tab for each kind of input, and returns its component and its start button."""
    names, made = source_names(service), []
    with gr.Tabs(elem_id='hm-tabs'):
        for name in names:
            with gr.Tab({'file': 'File', 'camera': 'Camera', 'microphone': 'Microphone'}[name]):
                source = _source(name, service)
                made.append((source, gr.Button('Analyse', variant='primary', elem_id=f'hm-analyse-{name}')))
    return made


def _source(name: str, service: EmotionService) -> gr.components.Component:
    if name == 'camera':
        return gr.Video(
            sources=['webcam'],
            include_audio=True,
            label='Record face and voice' if 'audio' in service.media else 'Record the face',
            webcam_options=gr.WebcamOptions(mirror=False),  # mirroring would need the ffmpeg program
            elem_id='hm-camera',
        )
    if name == 'microphone':
        return gr.Audio(sources=['microphone'], type='filepath', label='Record the voice', elem_id='hm-microphone')
    label = 'Video or sound file' if service.takes_sound_alone else 'Video file'
    return gr.File(label=label, type='filepath', elem_id='hm-file', height=190)


def _text_field() -> gr.Textbox:
    return gr.Textbox(
        label='What is said',
        placeholder='The words, or subtitles with times (SRT, WebVTT)',
        lines=2,
        max_length=LONGEST_TEXT,
        elem_id='hm-words',
    )


def _events(source: gr.components.Component, *names: str) -> list[Callable[..., Any]]:
    return [getattr(source, name) for name in names if hasattr(source, name)]


def _introduction(service: EmotionService) -> str:
    what = _KINDS[service.media] + (', and from the words' if service.texts else '')
    synthetic = (
        '<p class="hm-caution" role="note"><strong>This model knows only synthetic faces.</strong> It has learned from '
        'drawn faces and made-up voices; of real people it knows nothing.</p>'
        if service.is_synthetic
        else ''
    )
    return (
        '<header><h1>Emotion in a recording</h1>'
        f'<p>Upload or record a short clip of one person and see which emotion a model reads from {what}, second by '
        f'second.</p><p class="hm-model">Model: <strong>{html.escape(service.model)}</strong></p>'
        f'{synthetic}</header>'
    )


def _small_print(service: EmotionService) -> str:
    limits = service.limits
    return (
        f'<p><strong>Limits:</strong> {limits.max_seconds:g} seconds, {limits.max_megabytes:g} MB.</p>'
        '<p><strong>Privacy:</strong> the recording is deleted from the server as soon as it has been analysed; the '
        'result exists only in this window.</p>'
        '<p><strong>Use with care:</strong> upload only people who have agreed to it. Scores say what a face and a '
        'voice look and sound like to this model, not what somebody feels. Never use them for decisions about '
        'people.</p>'
    )


def _theme() -> gr.themes.Base:
    """Uses fonts of the visitor's machine, and buttons that are easy to read in light and dark mode."""
    theme = gr.themes.Base(font=_FONTS, font_mono=_MONO_FONTS, primary_hue='blue', neutral_hue='slate')
    button = dict.fromkeys(('button_primary_background_fill', 'button_primary_background_fill_dark'), '*primary_700')
    hover = {name.replace('fill', 'fill_hover'): '*primary_800' for name in button}
    return theme.set(**button, **hover)


def launch_options(visits: Visits, max_waiting: int = 20, allowed_hosts: Sequence[str] = LOCAL_HOSTS) -> dict[str, Any]:
    """Makes the options of ``Blocks.launch``.

    They switch off sharing, tracking, the history of runs, and everything that is loaded from other servers.

    Args:
        visits: The same as for :func:`build_app`.
        max_waiting: The same as for :func:`build_app`.
        allowed_hosts: See :class:`~hicmae_mm.apis.web.gate.Gate`.

    Returns:
        The options by name.
    """
    service, num_visitors = visits.service, max_waiting + visits.service.num_models
    gate = Middleware(
        Gate,
        receiver=Receiver(visits.uploads, service.limits, num_visitors),
        allowed_hosts=allowed_hosts,
        on_left=visits.leave,
    )
    page = json.dumps(dict(maxBytes=service.limits.max_bytes, maxMegabytes=service.limits.max_megabytes))
    return dict(
        share=False,
        max_file_size=service.limits.max_bytes,
        app_kwargs=dict(middleware=[gate]),
        state_session_capacity=num_visitors,  # each session stores its last result
        theme=_theme(),
        css=asset('page.css'),
        js=asset('page.js').replace('__PAGE__', page),
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
        quiet=True,
        show_error=False,
    )
