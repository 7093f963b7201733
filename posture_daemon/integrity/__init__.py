"""Integrity checks of database, model files and data folder, and recovery from damage."""
