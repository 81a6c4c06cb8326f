"""Experiments as data, and sweeps that carry them out: from a declared question to a table of results."""
