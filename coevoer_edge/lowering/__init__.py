"""Lower one quantized program to the file of each target, and read the facts back from the file."""
