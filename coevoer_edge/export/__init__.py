"""Lower one quantized program to Core ML, ExecuTorch and ONNX by the recipes in top-level `export/`."""
