// Keeps ExecuTorch's notes about the processor out of the command line's output, but not its errors.
#pragma once

void quiet_executorch();
