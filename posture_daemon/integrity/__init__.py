"""Whether what is stored is sound, and what is done when it is not."""
