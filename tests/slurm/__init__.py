"""Arrays of a real SLURM: ``make test-slurm``."""
