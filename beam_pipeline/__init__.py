"""Prepare Kinetics-400/600/700 for training: resized clips and the lists trainers read."""

__version__ = "0.1.0"
