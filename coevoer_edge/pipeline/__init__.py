"""From a frame to a person: crop, decoding, tracking, smoothing (docs/pipeline.md)."""
