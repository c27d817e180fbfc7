"""Measure a network: errors against datasets, beside the paper's tables, and pictures of results."""
