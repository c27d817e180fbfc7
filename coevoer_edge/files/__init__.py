"""Writing files so that nothing is lost: each appears under its name only when it is complete."""
