"""Pipeline transforms. The import of this package registers them."""

from hicmae_mm.datasets.transforms.audio_aug import RandomGain, SpecMasking
from hicmae_mm.datasets.transforms.audio_io import Filterbank, LoadAudio
from hicmae_mm.datasets.transforms.camera import CameraStream
from hicmae_mm.datasets.transforms.clip_stream import ClipAsStream
from hicmae_mm.datasets.transforms.corruption import AddNoise, PyramidBlur
from hicmae_mm.datasets.transforms.crop import RandomResizedCropFlip
from hicmae_mm.datasets.transforms.cut_window import CutWindow
from hicmae_mm.datasets.transforms.degraded_frames import CompressFrames, GaussianBlur, LowerFrameRate, OccludeFrames
from hicmae_mm.datasets.transforms.degraded_sound import CompressSound, DelaySound, OverdriveSound, Reverberate
from hicmae_mm.datasets.transforms.describe_clip import DescribeClip
from hicmae_mm.datasets.transforms.drop_stream import DropStream
from hicmae_mm.datasets.transforms.extractor_spectrogram import ExtractorSpectrogram
from hicmae_mm.datasets.transforms.feature_target import LoadFeatureTarget
from hicmae_mm.datasets.transforms.features import LoadFeature
from hicmae_mm.datasets.transforms.formatting import PackAudioVisual, PackStreams
from hicmae_mm.datasets.transforms.frame_targets import LoadFrameTargets
from hicmae_mm.datasets.transforms.masking import RandomMask, SymmetricWindowMask, TubeMask
from hicmae_mm.datasets.transforms.missing import DropVectors
from hicmae_mm.datasets.transforms.multi_view import MultiView
from hicmae_mm.datasets.transforms.rand_augment import ClipRandAugment
from hicmae_mm.datasets.transforms.running_cell import RunningCellMask
from hicmae_mm.datasets.transforms.segments import SampleSegments
from hicmae_mm.datasets.transforms.text import Tokenize
from hicmae_mm.datasets.transforms.video_aug import ClipRandomErasing, FixedCrop, SpatialViews
from hicmae_mm.datasets.transforms.video_io import DecodeFrames, OpenVideo, SampleClips
from hicmae_mm.datasets.transforms.whole_track import WholeTrack

__all__ = [
    'AddNoise',
    'CameraStream',
    'ClipAsStream',
    'ClipRandAugment',
    'ClipRandomErasing',
    'CompressFrames',
    'CompressSound',
    'CutWindow',
    'DecodeFrames',
    'DelaySound',
    'DescribeClip',
    'DropStream',
    'DropVectors',
    'ExtractorSpectrogram',
    'Filterbank',
    'FixedCrop',
    'GaussianBlur',
    'LoadAudio',
    'LoadFeature',
    'LoadFeatureTarget',
    'LoadFrameTargets',
    'LowerFrameRate',
    'MultiView',
    'OccludeFrames',
    'OpenVideo',
    'OverdriveSound',
    'PackAudioVisual',
    'PackStreams',
    'PyramidBlur',
    'RandomGain',
    'RandomMask',
    'RandomResizedCropFlip',
    'Reverberate',
    'RunningCellMask',
    'SampleClips',
    'SampleSegments',
    'SpatialViews',
    'SpecMasking',
    'SymmetricWindowMask',
    'Tokenize',
    'TubeMask',
    'WholeTrack',
]
