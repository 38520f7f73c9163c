"""Faults by the thousand, drawn by seed until the time is up: ``make campaign HOURS=1``.

A kind of fault is a function of a seed, in ``kinds.py``: it makes some faults, checks that
nothing is lost, and returns how many it made. ``make test-faults`` runs the first seeds of each.
"""
