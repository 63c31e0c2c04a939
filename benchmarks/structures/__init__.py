"""The dependency index and its alternatives: the workload, each structure in C or Python, and what each is asked."""
