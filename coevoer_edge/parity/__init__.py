"""What the way from the float network to the shipped file costs, in the words of the parity ladder."""
