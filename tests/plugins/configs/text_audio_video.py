"""Emotion of text, sound and pictures, trained for clips that lack any of them."""

_base_ = './_base_.py'
custom_imports = dict(imports=['tests.plugins.text_audio_video'], allow_failed_imports=False)

streams = ('video', 'audio', 'text')
pipeline = [
    dict(type='DropStream', stream=streams, prob=0.3),
    dict(type='OpenVideo'),
    dict(type='SampleClips', mode='test', clip_len=4, frame_interval=2),
    dict(type='DecodeFrames'),
    dict(type='LoadAudio'),
    dict(type='Filterbank', num_mel_bins=32, target_length=32),
    dict(type='Tokenize', vocabulary='words.txt'),
    dict(type='PackStreams', arrays=('video', 'audio'), sequences=dict(text='text_ids')),
]
train_dataloader = dict(dataset=dict(streams=streams, pipeline=pipeline))
val_dataloader = dict(dataset=dict(streams=streams, pipeline=pipeline[1:]))
test_dataloader = val_dataloader

shared = dict(type='VisionTransformerEncoder', embed_dims=16, depth=2, num_heads=2)
model = dict(
    type='AudioVisualRecognizer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders=dict(
        video=dict(patch_embed=dict(type='TubeletEmbed', image_size=32, num_frames=4), **shared),
        audio=dict(patch_embed=dict(type='SpectrogramEmbed', num_frames=32, num_mel_bins=32), **shared),
        text=dict(type='TextEncoder', num_words=8),
    ),
    fusion=dict(type='ConcatFusion', depth=1, num_heads=2),
    head=dict(type='ClassificationHead', num_classes=2),
    missing_streams='zero',
)
