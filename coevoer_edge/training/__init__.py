"""Training: losses, augmentation, recipes and the loop that `train` and `distill` share."""
