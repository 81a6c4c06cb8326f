"""From tables of results to figures, sentences and one page."""
