"""One quantized program to the file of each target, and back to the facts that the file holds."""
