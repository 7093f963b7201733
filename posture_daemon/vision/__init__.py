"""Image functions without device or database: JPEG, frame quality, novelty, and the head of the model in numpy."""
