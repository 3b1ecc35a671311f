"""Code that the commands in tools share: command lines, steps of a run, and parallel processes."""
