"""What happens in the training process: views, features, the head, calibration, evaluation."""
