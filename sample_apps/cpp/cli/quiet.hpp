// Keeps ExecuTorch's notes on the processor out of the command line's output; its errors stay.
#pragma once

void quiet_executorch();
