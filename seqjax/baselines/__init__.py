"""Peers that any model has to beat: each is fitted on a log and scores on the host.

A baseline is a function `name(train, ...) -> scorer`; `scorer(log, at)` gives the scores [target, row] of all items
(row 0 is padding) for the targets at the events `at` of a log, from the events before them in the same sequence.
"""
