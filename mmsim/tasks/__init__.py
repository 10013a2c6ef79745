"""The tasks of each lesson: what `check()` judges, by running the model, and the hints.

A lesson's tasks are read when the first of them is asked for, see `checks`."""
