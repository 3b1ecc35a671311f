from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.faces import CropOptions, HaarCascade, LocatingCropper, TrackedBoxes, WholeFrame, YuNet
from hicmae_mm.datasets.faces.alignment import box_transforms, cut_out, landmark_transforms
from hicmae_mm.datasets.faces.tracked_boxes import read_boxes
from hicmae_mm.datasets.readers.source_clip import Clip
from hicmae_mm.datasets.readers.video import open_video, read_image
from hicmae_mm.datasets.writers import write_video
from hicmae_mm.registry import FACE_CROPPERS
from tests.conftest import MediaFolder
from tests.datasets.faces.onnx_file import write_red_square_detector

PLAIN = dict(size=32, margin=0.0, smoothing='none')


def extract(cropper: LocatingCropper, source: Path, out_dir: Path, **options: Any) -> dict[str, Any]:
    return cropper.extract(source, source.stem, cropper.resolve(CropOptions(**options)), out_dir)


def jpeg(picture: np.ndarray, quality: int = 95) -> bytes:
    return cv2.imencode('.jpg', picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def crops_of(source: Path, boxes: dict[int, tuple[float, ...]], size: int = 32) -> dict[str, bytes]:
    """What a folder must hold: frame number from 0 -> box."""
    frames = open_video(source).read(range(max(boxes) + 1))
    transforms = {t: box_transforms(np.array([box], dtype=float), 0.0, size)[0] for t, box in boxes.items()}
    return {f'{t + 1:05d}.jpg': jpeg(cut_out(frames[t], transform, size)) for t, transform in transforms.items()}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def clip(media: MediaFolder) -> Path:
    return media.video('clip.mp4', num_frames=6, has_sound=False)


def boxes_file(folder: Path, *rows: str, header: str = 'frame,x,y,w,h') -> TrackedBoxes:
    (folder / 'clip.csv').write_text('\n'.join([header, *rows]) + '\n')
    return TrackedBoxes(str(folder))


SMALL, LARGE, MIDDLE = (4, 4, 16, 16), (30, 0, 32, 32), (20, 20, 24, 24)


def test_haar_cascade_finds_a_drawn_face(talking_head: Path, tmp_path: Path) -> None:
    cropper = HaarCascade()
    details = extract(cropper, talking_head, tmp_path / 'faces', size=64)
    assert details == dict(frames=12, pictures=12, face_frames=12, face_share=1.0, several_faces=0)
    assert sorted(contents(tmp_path / 'faces')) == [f'{number:05d}.jpg' for number in range(1, 13)]
    assert read_image(tmp_path / 'faces' / '00001.jpg').shape == (64, 64, 3)
    with Clip(talking_head) as opened:
        boxes = np.concatenate([faces.boxes for faces in cropper.locate(opened)])
    middles = boxes[:, :2] + boxes[:, 2:] / 2
    assert np.abs(middles - 80).max() < 16
    assert boxes[:, 2].min() > 90
    # a training reads the folder as it reads a video
    reader = open_video(tmp_path / 'faces')
    assert reader.num_frames == 12
    assert reader.read([0, 11]).shape == (2, 64, 64, 3)


def test_search_on_shrunken_frames_finds_the_same_place(talking_head: Path) -> None:
    with Clip(talking_head) as opened:
        full = np.concatenate([faces.boxes for faces in HaarCascade().locate(opened)])
        half = np.concatenate([faces.boxes for faces in HaarCascade(max_side=80).locate(opened)])
    assert np.abs(full[0] - half[0]).max() < 16


def test_no_face_at_all_is_a_failure(clip: Path, tmp_path: Path) -> None:
    for cropper in (HaarCascade(), boxes_file(tmp_path)):
        with pytest.raises(MediaError, match='no face in any of 6 frames'):
            extract(cropper, clip, tmp_path / 'faces')
    assert not (tmp_path / 'faces').exists()


def test_nearest_box_stands_in_for_a_missing_face(clip: Path, tmp_path: Path) -> None:
    cropper = boxes_file(tmp_path, '1,4,4,16,16', '4, 20, 20, 24, 24')
    details = extract(cropper, clip, tmp_path / 'faces', **PLAIN)
    assert details == dict(frames=6, pictures=6, face_frames=2, face_share=0.3333, several_faces=0)
    expected = {0: SMALL, 1: SMALL, 2: SMALL, 3: MIDDLE, 4: MIDDLE, 5: MIDDLE}
    assert contents(tmp_path / 'faces') == crops_of(clip, expected)


def test_skip_leaves_frames_out_and_keeps_the_numbers(clip: Path, tmp_path: Path) -> None:
    cropper = boxes_file(tmp_path, '1,4,4,16,16', '4,20,20,24,24')
    assert extract(cropper, clip, tmp_path / 'faces', missing='skip', **PLAIN)['pictures'] == 2
    assert contents(tmp_path / 'faces') == crops_of(clip, {1: SMALL, 4: MIDDLE})


def test_fail_and_the_share_refuse_a_clip(clip: Path, tmp_path: Path) -> None:
    cropper = boxes_file(tmp_path, *(f'{frame},4,4,16,16' for frame in (0, 1, 2, 4, 5)))
    with pytest.raises(MediaError, match=r'clip\.mp4: no face in 1 of 6 frames, first in 4'):
        extract(cropper, clip, tmp_path / 'faces', missing='fail')
    with pytest.raises(MediaError, match=r'a face in 5 of 6 frames, fewer than the share of 0\.9'):
        extract(cropper, clip, tmp_path / 'faces', min_face_share=0.9)
    assert not (tmp_path / 'faces').exists()
    assert extract(cropper, clip, tmp_path / 'faces', min_face_share=0.8)['face_frames'] == 5


@pytest.mark.parametrize(('several', 'box'), [('largest', LARGE), ('most_central', MIDDLE), ('track', SMALL)])
def test_policies_for_several_faces(clip: Path, tmp_path: Path, several: str, box: Any) -> None:
    # the small face is there all the time, the others jump in and out of the list
    rows = [f'{frame},4,4,16,16' for frame in range(6)]
    rows += [f'{frame},{",".join(map(str, other))}' for frame in (0, 1, 2, 3) for other in (LARGE, MIDDLE)]
    cropper = boxes_file(tmp_path, *rows)
    details = extract(cropper, clip, tmp_path / 'faces', several=several, **PLAIN)
    assert (details['several_faces'], details['face_frames']) == (4, 6)
    expected = {t: box if t < 4 else SMALL for t in range(6)}
    assert contents(tmp_path / 'faces') == crops_of(clip, expected)


def test_margin_and_smoothing_move_the_cut(clip: Path, tmp_path: Path) -> None:
    cropper = boxes_file(tmp_path, *(f'{t},{10 + 4 * (t % 2)},10,20,20' for t in range(6)))
    extract(cropper, clip, tmp_path / 'faces', size=32, margin=0.2, smoothing='moving_average', smoothing_window=3)
    frames = open_video(clip).read(range(6))
    steps = [10, 34 / 3, 38 / 3, 34 / 3, 38 / 3, 14]  # means of 10 14 10, 14 10 14, ...; the ends stay
    for frame, x, picture in zip(frames, steps, contents(tmp_path / 'faces').values(), strict=True):
        transform = box_transforms(np.array([[x, 10, 20, 20]]), 0.2, 32)[0]
        decoded = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR_RGB)
        expected = cv2.imdecode(np.frombuffer(jpeg(cut_out(frame, transform, 32)), np.uint8), cv2.IMREAD_COLOR_RGB)
        assert np.abs(decoded.astype(int) - expected).max() <= 2


@pytest.mark.parametrize(('encoding', 'mark'), [('utf-8-sig', ','), ('utf-16', '\t'), ('utf-8', ';')])
def test_box_files_of_other_programs(tmp_path: Path, encoding: str, mark: str) -> None:
    text = f'frame{mark} x{mark}y{mark}w{mark}h\r\n0{mark}1{mark}2.5{mark}3{mark}4\r\n\r\n0{mark}5{mark}6{mark}7{mark}8'
    (tmp_path / 'a.csv').write_bytes(text.encode(encoding))
    assert read_boxes(tmp_path / 'a.csv') == {0: [[1.0, 2.5, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]}
    (tmp_path / 'a.csv').write_text('frame,x,y,w,h\n0.5,1,2,3,4\n')
    with pytest.raises(MediaError, match=r'a\.csv, line 2: frame must be a whole number, got 0\.5'):
        read_boxes(tmp_path / 'a.csv')


def test_box_files_are_checked(clip: Path, tmp_path: Path) -> None:
    for row, message in (
        ('6,1,1,5,5', r'frame 6 is not one of the clip, 0\.\.5; check first_frame'),
        ('0,1,1,0,5', r'clip\.csv, line 2: w and h must be above 0'),
        ('0,1,one,5,5', r'clip\.csv, line 2: expected numbers'),
        ('0,1,1', r'clip\.csv, line 2: expected numbers'),
    ):
        with pytest.raises(MediaError, match=message):
            extract(boxes_file(tmp_path, row), clip, tmp_path / 'faces')
    with pytest.raises(MediaError, match="no column 'w'"):
        extract(boxes_file(tmp_path, '0,1,1,2,2', header='frame,x,y,width,height'), clip, tmp_path / 'faces')
    (tmp_path / 'clip.csv').unlink()
    with pytest.raises(FileNotFoundError, match='no such file of boxes'):
        extract(TrackedBoxes(str(tmp_path)), clip, tmp_path / 'faces')
    with pytest.raises(FileNotFoundError, match='root=DIR'):
        TrackedBoxes(str(tmp_path / 'nowhere'))


def test_numbering_from_one(clip: Path, tmp_path: Path) -> None:
    boxes_file(tmp_path, '1,4,4,16,16', '6,20,20,24,24')
    extract(TrackedBoxes(str(tmp_path), first_frame=1), clip, tmp_path / 'faces', missing='skip', **PLAIN)
    assert contents(tmp_path / 'faces') == crops_of(clip, {0: SMALL, 5: MIDDLE})


def test_whole_frame_keeps_everything(media: MediaFolder, tmp_path: Path) -> None:
    wide = media.video('wide.mp4', num_frames=3, has_sound=False, height=32, width=64)
    details = extract(WholeFrame(), wide, tmp_path / 'faces', size=64, jpeg_quality=90)
    assert details['face_share'] == 1.0
    frames = open_video(wide).read(range(3))
    bars = np.zeros((16, 64, 3), np.uint8)
    expected = [jpeg(np.concatenate([bars, frame, bars]), 90) for frame in frames]
    assert list(contents(tmp_path / 'faces').values()) == expected


def test_frame_folders_can_be_read_too(media: MediaFolder, tmp_path: Path) -> None:
    folder = media.frame_folder(num_frames=12)
    extract(WholeFrame(), folder, tmp_path / 'faces', size=64)
    numbers = [media.frame_number(read_image(tmp_path / 'faces' / f'{number:05d}.jpg')) for number in range(1, 13)]
    assert numbers == list(range(12))


@pytest.fixture(scope='module')
def yunet_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('yunet') / 'red_squares.onnx'
    write_red_square_detector(path)
    return path


def red_square_clip(root: Path, *corners: tuple[int, int] | None) -> Path:
    """A 64x96 video with an 8x8 red square per frame; the file is read back losslessly enough to be found."""
    folder = root / 'red'
    folder.mkdir()
    for number, corner in enumerate(corners):
        frame = MediaFolder.frames(1, 64, 96)[0] // 4
        if corner is not None:
            frame[corner[1] : corner[1] + 8, corner[0] : corner[0] + 8] = (255, 0, 0)
        cv2.imwrite(str(folder / f'{number}.png'), frame[..., ::-1])
    return folder


def test_yunet_gives_boxes_and_landmarks(yunet_model: Path, tmp_path: Path) -> None:
    source = red_square_clip(tmp_path, (40, 16), None, (48, 24))
    with Clip(source) as opened:
        faces = YuNet(str(yunet_model), search_seconds=0).locate(opened)
        no_landmarks = YuNet(str(yunet_model), align=False).locate(opened)
    # the cell (5, 2) of 8 pixels: middle (44, 20), 5 by 6 cells
    np.testing.assert_allclose(faces[0].boxes, [[24, -4, 40, 48]], atol=1e-4)
    eyes_nose_mouth = np.array([[36, 12], [52, 12], [44, 20], [38, 28], [50, 28]])
    np.testing.assert_allclose(faces[0].landmarks, [eyes_nose_mouth], atol=1e-4)
    assert len(faces[1].boxes) == 0
    np.testing.assert_allclose(faces[2].landmarks, [eyes_nose_mouth + 8], atol=1e-4)
    assert no_landmarks[0].landmarks is None


def test_yunet_aligns_by_landmarks(yunet_model: Path, tmp_path: Path) -> None:
    source = red_square_clip(tmp_path, (40, 16), None, (48, 24))
    details = extract(YuNet(str(yunet_model), search_seconds=0), source, tmp_path / 'faces', **PLAIN)
    assert (details['face_frames'], details['pictures']) == (2, 3)
    landmarks = np.array([[36.0, 12], [52, 12], [44, 20], [38, 28], [50, 28]])
    transforms = landmark_transforms(np.stack([landmarks, landmarks, landmarks + 8]), 0.0, 32)
    frames = open_video(source).read(range(3))
    for frame, transform, path in zip(frames, transforms, sorted((tmp_path / 'faces').iterdir()), strict=True):
        expected = cv2.imdecode(np.frombuffer(jpeg(cut_out(frame, transform, 32)), np.uint8), cv2.IMREAD_COLOR_RGB)
        assert np.abs(read_image(path).astype(int) - expected).max() <= 2
    # boxes instead
    extract(YuNet(str(yunet_model), align=False, search_seconds=0), source, tmp_path / 'boxes', **PLAIN)
    transform = box_transforms(np.array([[24.0, -4, 40, 48]]), 0.0, 32)[0]
    expected = cv2.imdecode(np.frombuffer(jpeg(cut_out(frames[0], transform, 32)), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.abs(read_image(tmp_path / 'boxes' / '00001.jpg').astype(int) - expected).max() <= 2


def test_shrinking_scales_boxes_and_landmarks_back(yunet_model: Path, tmp_path: Path) -> None:
    folder = red_square_clip(tmp_path, (40, 16))
    frame = read_image(folder / '0.png')
    (tmp_path / 'large').mkdir()
    cv2.imwrite(str(tmp_path / 'large' / '0.png'), cv2.resize(frame, None, fx=2, fy=2, interpolation=0)[..., ::-1])
    with Clip(tmp_path / 'large') as opened:
        (faces,) = YuNet(str(yunet_model), max_side=96).locate(opened)
    np.testing.assert_allclose(faces.boxes, [[48, -8, 80, 96]], atol=1e-3)
    np.testing.assert_allclose(faces.landmarks[0][0], [72, 24], atol=1e-3)


def test_models_and_cascades_that_are_not_there_are_named(tmp_path: Path) -> None:
    (tmp_path / 'text.onnx').write_text('text')
    with pytest.raises(ValueError, match=r'text\.onnx is not a model that OpenCV can read'):
        YuNet(str(tmp_path / 'text.onnx'))
    with pytest.raises(FileNotFoundError, match="no cascade 'absent.xml'"):
        HaarCascade('absent.xml')
    (tmp_path / 'empty.xml').write_text('<?xml version="1.0"?>\n<opencv_storage></opencv_storage>\n')
    with pytest.raises(ValueError, match=r'empty\.xml is not a cascade'):
        HaarCascade(str(tmp_path / 'empty.xml'))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(size=4), 'size must be at least 8'),
        (dict(margin=-0.5), 'margin must be in'),
        (dict(several='all'), "several must be one of .*'all'"),
        (dict(missing='interpolate'), "missing must be one of .*'interpolate'"),
        (dict(smoothing='median'), "smoothing must be one of .*'median'"),
        (dict(smoothing_window=4), 'smoothing_window must be odd'),
        (dict(min_face_share=2), 'min_face_share must be in 0..1'),
        (dict(jpeg_quality=0), 'jpeg_quality must be in 1..100'),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CropOptions(**options)


def test_croppers_fill_in_their_defaults() -> None:
    assert HaarCascade().resolve(CropOptions()) == CropOptions(
        size=256, margin=0.1, several='largest', missing='nearest'
    )
    assert YuNet().resolve(CropOptions()).several == 'track'
    whole = CropOptions(size=64, margin=0.0, several='largest', missing='nearest')
    assert WholeFrame().resolve(CropOptions(size=64)) == whole
    with pytest.raises(ValueError, match="missing='keep' needs pictures of a tracker; WholeFrame has none"):
        WholeFrame().resolve(CropOptions(missing='keep'))
    for options in (dict(max_side=16), dict(scale_factor=1.0), dict(min_size=2)):
        with pytest.raises(ValueError, match=f'{next(iter(options))} '):
            HaarCascade(**options)


def test_croppers_are_registered() -> None:
    assert isinstance(FACE_CROPPERS.build(dict(type='WholeFrame')), WholeFrame)


def test_a_broken_video_is_an_error(media: MediaFolder, tmp_path: Path) -> None:
    broken = media.truncated(media.video('clip.mp4'))
    with pytest.raises(MediaError, match='truncated'):
        extract(WholeFrame(), broken, tmp_path / 'faces')
    write_video(tmp_path / 'two.mp4', media.frames(2), 25)
    assert extract(WholeFrame(), tmp_path / 'two.mp4', tmp_path / 'faces')['frames'] == 2
