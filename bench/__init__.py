"""Measures penstock and its peers side by side; `make bench` writes docs/benchmarks.md."""
