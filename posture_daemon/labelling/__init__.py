"""Active learning with the owner: query strategy, labelling session, classes, label-error review, guided capture."""
