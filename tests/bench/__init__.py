"""Figures beside a baseline; run one as `python -m tests.bench.core`. Nothing here is a test."""
