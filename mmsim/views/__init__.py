"""What people look at: text and pictures, pure functions of a recorded run.

Standard library only.  The same run gives the same bytes on every machine.
"""
