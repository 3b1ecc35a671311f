"""What the commands in tools share: steps of a run, processes beside each other."""
