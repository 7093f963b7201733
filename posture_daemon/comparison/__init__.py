"""`posture-daemon compare`: the article's notebook as a command.

Reading order: `workspace` (a store of its own for the comparison, from a folder or from the labels there are), `rounds` (one
strategy after the other, each in a process of its own; finished ones are kept), `charts` and `report` (the page).
"""
