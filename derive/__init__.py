"""Scripts that derive the data committed in the package; not part of the wheel (extra `derive`)."""
