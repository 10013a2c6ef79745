"""What people look at: text and pictures of runs, memory, searches and diagnoses.

Standard library only; `tables` and what shows a table import pandas when they are called.  The same
run gives the same bytes on every machine.
"""
