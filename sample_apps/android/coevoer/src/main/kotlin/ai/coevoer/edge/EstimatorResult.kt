package ai.coevoer.edge

/** The state of a stream after a frame: no person is tracked, or one is. */
enum class TrackingState { SEARCHING, TRACKING }

/** An upright rectangle in pixels of the frame. It may extend beyond the frame. */
data class Rect(val x: Double, val y: Double, val width: Double, val height: Double)

/** A pinhole camera over the pixels of the frame. x right, y down, z into the scene; first pixel's centre (0.5, 0.5). */
data class PinholeCamera(val focalPx: Double, val principalXPx: Double, val principalYPx: Double)

/** Time spent on the frame, ms. */
data class Timings(val cropMs: Double, val networkMs: Double, val decodeMs: Double) {
    val totalMs get() = cropMs + networkMs + decodeMs
}

/**
 * SMPL-X parameters, by SMPL-X's names. Rotations are matrices, row-major, 9 numbers a joint, child frame to parent frame.
 */
class SmplxParameters internal constructor(
    val globalOrient: DoubleArray,
    val bodyPose: DoubleArray,
    val leftHandPose: DoubleArray,
    val rightHandPose: DoubleArray,
    val jawPose: DoubleArray,
    val betas: DoubleArray,
    val expression: DoubleArray,
)

/**
 * One person in the frame. Arrays are row-major; joints are in the order of [BundleInfo.jointNames].
 *
 * @property translation SMPL-X's `transl`, m, camera frame
 * @property jointsCam x, y, z of each joint, m, camera frame
 * @property jointsPx x, y of each joint in the frame
 * @property partBoxesPx x1, y1, x2, y2 of each of [BundleInfo.partNames]; may extend beyond the frame
 * @property visibility probabilities, in the manifest's order
 */
class Person internal constructor(
    val parameters: SmplxParameters,
    val translation: DoubleArray,
    val camera: PinholeCamera,
    val jointsCam: DoubleArray,
    val jointsPx: DoubleArray,
    val partBoxesPx: DoubleArray,
    val visibility: DoubleArray,
)

/**
 * The result of a frame. In a stream, the person is smoothed and in the frame camera, or null while nobody is there. For a
 * single image, the person is always the network's last output, with its visibility, and the caller decides.
 *
 * A result holds about 20 kB of native memory for [Estimator.mesh], which is freed with this object or earlier by [close].
 * The numbers remain valid after that.
 *
 * @property trained false: the weights are random, and so is the person
 * @property smallerModel whether the smaller model computed the result
 * @property dropped the number of frames of a live stream dropped since the last result
 */
class EstimatorResult internal constructor(
    val timestampMs: Double,
    val state: TrackingState,
    val person: Person?,
    val crop: Rect,
    val trained: Boolean,
    val smallerModel: Boolean,
    val dropped: Int,
    val timings: Timings,
) : AutoCloseable {
    internal var memory: NativeResult? = null

    override fun close() {
        memory?.free()
    }

    internal companion object {
        /** Takes ownership of a native result, even when it throws. */
        fun of(address: Long): EstimatorResult {
            val result = try {
                read(address)
            } catch (error: Throwable) {
                Native.freeResult(address)
                throw error
            }
            result.memory = NativeResult.keep(result, address)
            return result
        }

        private fun read(address: Long): EstimatorResult {
            val head = Native.head(address)
            return EstimatorResult(
                timestampMs = head[0],
                state = if (head[1] != 0.0) TrackingState.TRACKING else TrackingState.SEARCHING,
                person = if (head[2] != 0.0) person(address) else null,
                trained = head[3] != 0.0,
                smallerModel = head[4] != 0.0,
                dropped = head[5].toInt(),
                crop = Rect(head[6], head[7], head[8], head[9]),
                timings = Timings(head[10], head[11], head[12]),
            )
        }

        private fun person(address: Long): Person {
            fun values(name: String) = Native.values(address, name)
            val camera = values("camera")
            return Person(
                SmplxParameters(
                    values("global_orient"), values("body_pose"), values("left_hand_pose"), values("right_hand_pose"),
                    values("jaw_pose"), values("betas"), values("expression"),
                ),
                values("translation"), PinholeCamera(camera[0], camera[1], camera[2]), values("joints_cam"),
                values("joints_px"), values("part_boxes_px"), values("visibility"),
            )
        }
    }
}
