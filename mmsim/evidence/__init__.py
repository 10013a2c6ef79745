"""What comes from outside: text of /proc, traces and rows of real kernels, and vectors.

Nothing here knows what a kernel path does: the model is run, and held against the evidence.
"""
