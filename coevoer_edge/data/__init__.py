"""Images for calibration and golden checks: the default set that comes with the package, or a user's own folder."""
