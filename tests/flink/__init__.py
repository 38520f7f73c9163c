"""Jobs on Flink: inside the job server, and on a cluster of processes on this machine."""
