"""The article's four strategies, run by ultralytics itself.

Reading order: `fit` (one training by ultralytics in a process of its own: a checkpoint and a folder of pictures in, numbers
and weights out), `fit_child` (that process), `resumable` and `checkpoint` (how it goes on after it was interrupted), `dataset`
(labels of the store → such a folder), `challenger` (a strategy from the store's labels to a judged challenger), `progress` (its
epochs in the log).
"""
