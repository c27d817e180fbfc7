"""Data: image sets for calibration and golden checks, synthetic people, and readers of published datasets."""
