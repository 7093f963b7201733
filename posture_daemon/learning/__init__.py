"""What is computed of labels: augmentation, features, the fit, calibration, evaluation, label errors. In any process."""
