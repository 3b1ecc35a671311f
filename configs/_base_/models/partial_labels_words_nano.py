# statistics of a voice and the words that are said, learned from candidate labels
_base_ = './partial_labels_voice_nano.py'

model = dict(
    encoders=dict(text=dict(type='TokenIdEncoder', num_ids=48, embed_dims=64, depth=1, num_heads=2)),
    missing_streams='zero',
    aggregator=dict(_delete_=True, type='MeanPoolAggregator'),
)
