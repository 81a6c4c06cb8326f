"""What became of each request, how long it took, and the files that tell it."""
