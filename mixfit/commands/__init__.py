"""The commands: each parses, calls, prints and exits, and knows nothing else."""
