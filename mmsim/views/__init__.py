"""What people look at: text and pictures, pure functions of a recorded run.

Standard library only; `tables` and what shows a table import pandas when they are called.  The same
run gives the same bytes on every machine.
"""
