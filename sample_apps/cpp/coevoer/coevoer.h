/* C interface of the library, for JNI and Swift. docs/pipeline.md defines what is computed.
 *
 * Calls return COEVOER_OK or a kind of error; coevoer_last_error() returns the message of this thread's last call.
 * Pixels: x right, y down, first centre at (0.5, 0.5). Camera frame: x right, y down, z into the scene, m. Arrays are
 * row-major.
 */
#ifndef COEVOER_H
#define COEVOER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  COEVOER_OK = 0,
  COEVOER_USAGE = 1,   /* wrong mode, closed, bad frame, a timestamp that does not increase */
  COEVOER_BUNDLE = 2,  /* the bundle is missing or altered, or has another contract */
  COEVOER_NETWORK = 3, /* the outputs break the contract, or the runtime fails */
  COEVOER_MEMORY = 4   /* not enough memory; the call may be tried again */
} coevoer_status;

typedef enum { COEVOER_IMAGE = 0, COEVOER_VIDEO = 1, COEVOER_LIVE_STREAM = 2 } coevoer_mode;
typedef enum { COEVOER_RGB = 0, COEVOER_RGBA = 1, COEVOER_BGRA = 2 } coevoer_pixel_format;
typedef enum { COEVOER_SEARCHING = 0, COEVOER_TRACKING = 1 } coevoer_state;
typedef enum { COEVOER_NOMINAL = 0, COEVOER_FAIR = 1, COEVOER_SERIOUS = 2, COEVOER_CRITICAL = 3 } coevoer_thermal;

typedef struct coevoer_estimator coevoer_estimator;
typedef struct coevoer_result coevoer_result;

/* The listener of a live stream, called on the stream's own thread, one call at a time. With COEVOER_OK the result
 * belongs to the listener, which frees it; otherwise it is NULL and `message` (valid during the call) gives the reason.
 * The listener must not call coevoer_close. */
typedef void (*coevoer_listener)(void* context, coevoer_status status, coevoer_result* result, const char* message);

/* A network that runs in the caller's own runtime. `image` is (3, H, W) float RGB in [0, 1]. `run` fills `outputs`,
 * which are in the manifest's order, and returns 0, or another number if it failed. `release` may be NULL. */
typedef struct {
  void* context;
  int32_t (*run)(void* context, const float* image, float* const* outputs);
  void (*release)(void* context);
} coevoer_network;

/* Loads the artifact of a verified bundle; returns 0, or another number if it failed. */
typedef int32_t (*coevoer_loader)(void* context, const char* artifact, coevoer_network* network);

typedef struct {
  const char* bundle;         /* folder */
  const char* smaller_bundle; /* for heat and low memory; NULL: none */
  int32_t mode;               /* a coevoer_mode */
  int32_t raw;                /* 1: streams are not smoothed */
  coevoer_listener listener;  /* for a live stream, otherwise NULL */
  void* listener_context;
  coevoer_loader loader; /* NULL: ExecuTorch, if the library was built with it */
  void* loader_context;
} coevoer_options;

/* Upright 8-bit pixels that belong to the caller; they are not used after the call. */
typedef struct {
  const uint8_t* pixels;
  int32_t width, height;
  size_t stride_bytes; /* 0: no gaps between rows */
  int32_t format;      /* a coevoer_pixel_format */
} coevoer_frame;

const char* coevoer_last_error(void);

/* Options with all fields zero. */
coevoer_options coevoer_default_options(void);

coevoer_status coevoer_open(const coevoer_options* options, coevoer_estimator** estimator);
coevoer_status coevoer_detect(coevoer_estimator*, const coevoer_frame*, coevoer_result** result);
coevoer_status coevoer_detect_for_video(coevoer_estimator*, const coevoer_frame*, double timestamp_ms,
                                        coevoer_result** result);
coevoer_status coevoer_detect_async(coevoer_estimator*, const coevoer_frame*, double timestamp_ms);
coevoer_status coevoer_set_pressure(coevoer_estimator*, int32_t thermal, int32_t low_memory);
coevoer_status coevoer_close(coevoer_estimator*); /* waits for the frames of a live stream */
void coevoer_free(coevoer_estimator*);            /* closes first; NULL is harmless */

double coevoer_result_timestamp_ms(const coevoer_result*);
coevoer_state coevoer_result_state(const coevoer_result*); /* after a frame of a stream */
int32_t coevoer_result_has_person(const coevoer_result*);
int32_t coevoer_result_trained(const coevoer_result*); /* 0: random weights, and so is the person */
int32_t coevoer_result_smaller_model(const coevoer_result*);
int32_t coevoer_result_dropped(const coevoer_result*);
void coevoer_result_crop(const coevoer_result*, double crop[4]);     /* x0 y0 width height, px */
void coevoer_result_timings_ms(const coevoer_result*, double ms[3]); /* crop, network, decode */
void coevoer_result_free(coevoer_result*);

/* The person's values by name: global_orient, body_pose, left_hand_pose, right_hand_pose, jaw_pose (n 3 3), betas,
 * expression, translation (3), camera (focal, principal point x, y; px), joints_cam (J 3), joints_px (J 2),
 * part_boxes_px (n 4), visibility. Returns their number, and copies them if `capacity` is large enough; 0 for another
 * name, or without a person. */
size_t coevoer_result_values(const coevoer_result*, const char* name, double* values, size_t capacity);

size_t coevoer_num_joints(const coevoer_estimator*);
const char* coevoer_joint_name(const coevoer_estimator*, size_t joint); /* NULL for an index beyond the last */
size_t coevoer_num_vertices(const coevoer_estimator*);
const int32_t* coevoer_faces(const coevoer_estimator*,
                             size_t* num_faces); /* 3 a face; lives as long as the estimator */

/* Writes (V, 3) vertices in the camera frame, m. COEVOER_USAGE without a person or for a capacity below 3 V floats. */
coevoer_status coevoer_mesh(const coevoer_estimator*, const coevoer_result*, float* vertices, size_t capacity);

#ifdef __cplusplus
}
#endif

#endif
