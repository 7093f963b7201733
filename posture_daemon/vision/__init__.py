"""Pictures and what is read from them: JPEG, frame quality, novelty, the head of the model. No device, no database."""
