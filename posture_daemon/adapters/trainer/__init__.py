"""Training in a process of its own: the side that starts and watches it, and the side that computes."""
