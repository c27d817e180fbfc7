"""One quantized program from one float network: PT2E static INT8, by the recipes in top-level `quantization/`."""
