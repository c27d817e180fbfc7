"""The conformance kit: cases that every implementation of docs/pipeline.md answers alike (section 9 of the page)."""
