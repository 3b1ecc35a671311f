from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from hicmae_mm.apis.web.view import MOST_LINES, Pictures, notes, result_view, spoken
from hicmae_mm.visualization.timeline import Envelope
from tests.visualization.results import RESULT
from tests.visualization.test_tracks import frame_result


def test_lines_over_the_time():
    view = result_view(RESULT, Pictures(), is_video=True)
    (panel,) = view['panels']
    assert panel['edges'] == [0, 1, 2, 3, 4, 6]
    assert [line['name'] for line in panel['series']] == ['joy', 'anger']
    # two windows cover the second second, none the fourth, and the last window has no scores
    assert panel['series'][0]['values'] == [80.0, 60.0, 40.0, None, None]
    assert (panel['low'], panel['high'], panel['unit']) == (0, 100, '%')


def test_the_files_are_those_of_the_inferencer():
    files = result_view(RESULT, Pictures(), is_video=True)['files']
    assert json.loads(files['json']) == json.loads(json.dumps(RESULT))
    rows = list(csv.DictReader(io.StringIO(files['csv'])))
    assert [row['joy'] for row in rows] == ['0.8', '0.4', '']


def test_the_whole_view_is_json():
    envelope = Envelope(6.0, np.array([-0.5, 0.0]), np.array([0.25, 0.0]))
    view = result_view(RESULT, Pictures(envelope, dict(src='data:'), [dict(seconds=0.5, src=None)]), is_video=False)
    json.dumps(view, allow_nan=False)
    assert view['media'] == 'audio'
    assert view['sound'] == dict(seconds=6.0, low=[-0.5, 0.0], high=[0.25, 0.0])


def test_many_classes_are_cut_to_the_highest():
    scores = {f'class_{number}': number / 45 for number in range(10)}
    windows = [dict(RESULT['windows'][0], scores=scores)]
    result = {**RESULT, 'scores': scores, 'label': 'class_9', 'windows': windows}
    view = result_view(result, Pictures(), is_video=True)
    names = [line['name'] for line in view['panels'][0]['series']]
    assert names == [f'class {number}' for number in range(10 - MOST_LINES, 10)]
    assert view['panels'][0]['title'] == 'score (%), the 7 highest of 10'
    assert view['headline'] == dict(text='class 9', value='20 %')


def test_values_of_a_regression():
    values = dict(valence=-0.4, arousal=0.2)
    windows = [dict(window, scores=None, label=None, values=values) for window in RESULT['windows'][:1]]
    result = {**RESULT, 'scores': None, 'label': None, 'values': values, 'windows': windows}
    view = result_view(result, Pictures(), is_video=True)
    assert view['headline'] == dict(text='valence -0.40, arousal 0.20', value='')
    assert (view['panels'][0]['low'], view['panels'][0]['high']) == (-0.4, 1.0)


def test_predictions_per_frame_of_a_long_recording():
    view = result_view(frame_result(15000), Pictures(), is_video=True)
    assert [(panel['title'], panel['form'], panel['unit']) for panel in view['panels']] == [
        ('mood (%), means over 1 s', 'rows', '%'),
        ('valence, means over 1 s', 'long lines', ''),
        ('action units, means over 1 s', 'rows', ''),
    ]
    assert {len(line['values']) for panel in view['panels'] for line in panel['series']} == {600}
    assert view['panels'][2]['series'][1]['values'][:3] == [0, 1, 0]
    rows = list(csv.DictReader(io.StringIO(view['files']['frames'])))
    assert len(rows) == 15000
    assert (rows[26]['seconds'], rows[26]['mood.b'], rows[3]['mood.b']) == ('1.04', '0.7', '')
    assert result_view(frame_result(100), Pictures(), is_video=True)['panels'][0]['form'] == 'lines'
    assert result_view(RESULT, Pictures(), is_video=True)['files']['frames'] is None


@pytest.mark.parametrize(('name', 'words'), [('HAP', 'happiness'), ('sad', 'sadness'), ('very_sad', 'very sad')])
def test_names_in_words(name: str, words: str):
    assert spoken(name) == words


def test_notes_are_in_plain_words():
    window = RESULT['windows'][0]
    deaf = dict(window, streams=['video'], absent_streams=dict(audio='the sound track has ended'))
    faceless = dict(window, streams=[], absent_streams=dict(video='no face'), scores=None)
    result = {
        **RESULT,
        'windows': [window, deaf, faceless],
        'warnings': ['the video has 12.0 frames per second; it is read at 25'],
    }
    assert notes(result) == [
        'In 1 of 3 parts no face was found; they have no scores and are hatched.',
        '1 of 3 parts were judged without sound. Expect worse scores.',
        'the video has 12.0 frames per second; it is read at 25',
    ]
    few = 'a face was seen in only 29% of the searched frames; scores may be worse'
    assert notes({**result, 'windows': [window], 'warnings': [few]}) == [few]
    assert notes({**result, 'windows': [deaf, deaf], 'warnings': []}) == [
        'The whole recording was judged without sound. Expect worse scores.'
    ]
