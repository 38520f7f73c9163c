"""The report of an output, for people to look at."""
