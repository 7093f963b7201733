"""What the owner is asked, in which order, and what becomes of an answer: label session, classes, guided capture."""
