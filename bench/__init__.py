"""Benches: every goal of docs/performance.md as a ratio inside one run. Never a test."""
