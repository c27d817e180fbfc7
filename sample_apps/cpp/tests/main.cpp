// All tests. COEVOER_BUNDLE: an ExecuTorch bundle; COEVOER_GOLDEN: its golden.npz as safetensors
// (tools/golden_to_safetensors.py).
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
