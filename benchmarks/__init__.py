"""How quick mmsim is, as ratios to a named baseline that is measured in the same run.

usage: python -m benchmarks [NAME ...]      names: see NAMES in __main__.py

Nothing here is a test: machines differ, and the same machine differs from minute to minute.
"""
