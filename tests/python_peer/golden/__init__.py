"""Makes the golden fixtures in `tests/fixtures/`: what the Python package computes and says, for Rust tests to compare with."""
