"""Learning rules: patterns in, a model out. One family a file."""
