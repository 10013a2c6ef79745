"""A small machine for interleavings.  It has never heard of memory.

Files, bottom up: op (one atomic step), actor (a suspended generator as a value), scenario (the only
transition function), trace (a recorded run), schedule (who moves next), explore (every order), lint
(the shape a generator must have for all this to be sound).
"""
