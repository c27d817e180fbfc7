/* The network of an ExecuTorch bundle behind a C interface, for the Swift tests on Linux: what CoEvoerCoreML is on Apple
 * systems. */
#ifndef COEVOER_NETWORK_H
#define COEVOER_NETWORK_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct coevoer_network_handle coevoer_network_handle;

/* 0, or the kind of error as in coevoer.h: 2 bundle, 3 network, 4 memory; coevoer_network_error() has its words, of this
 * thread's last call. */
int32_t coevoer_network_open(const char* bundle, coevoer_network_handle** network);

/* `image` is (3, H, W) float RGB in [0, 1]. `outputs` are the manifest's in its order, each of as many floats as its
 * shape says, to be filled. */
int32_t coevoer_network_run(coevoer_network_handle* network, const float* image, float* const* outputs);

void coevoer_network_free(coevoer_network_handle* network);
const char* coevoer_network_error(void);

#ifdef __cplusplus
}
#endif

#endif
