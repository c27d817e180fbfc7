package ai.coevoer.edge.app

import ai.coevoer.edge.PinholeCamera
import kotlin.math.max

/**
 * Maps a frame's pixels to a view that the frame fills, centred and cropped at two sides (CameraX's FILL_CENTER), and
 * mirrored for a user-facing camera.
 */
class FrameToView(
    private val frameWidth: Int,
    frameHeight: Int,
    val viewWidth: Int,
    val viewHeight: Int,
    private val mirrored: Boolean,
) {
    private val scale = max(viewWidth / frameWidth.toDouble(), viewHeight / frameHeight.toDouble())
    private val left = (viewWidth - scale * frameWidth) / 2
    private val top = (viewHeight - scale * frameHeight) / 2

    /** x of the view = [xScale] x + [xOffset], px. */
    val xScale = if (mirrored) -scale else scale
    val xOffset = if (mirrored) left + scale * frameWidth else left
    val yScale = scale
    val yOffset = top
}

/**
 * The matrix that projects points of the camera frame (x right, y down, z into the scene, m) to where the camera saw them,
 * for `gl_Position = projection * vec4(point, 1)`, in column-major order. The depth range extends [reach] m to the front
 * and to the back of the body, which is at [depth].
 */
fun projection(camera: PinholeCamera, view: FrameToView, depth: Double, reach: Double = 2.5): FloatArray {
    val near = max(depth - reach, depth / 20)
    val far = depth + reach
    val xToClip = 2.0 / view.viewWidth
    val yToClip = -2.0 / view.viewHeight
    return FloatArray(16).also {
        it[0] = (xToClip * view.xScale * camera.focalPx).toFloat()
        it[5] = (yToClip * view.yScale * camera.focalPx).toFloat()
        it[8] = (xToClip * (view.xScale * camera.principalXPx + view.xOffset) - 1).toFloat()
        it[9] = (yToClip * (view.yScale * camera.principalYPx + view.yOffset) + 1).toFloat()
        it[10] = ((far + near) / (far - near)).toFloat()
        it[11] = 1f
        it[14] = (-2 * far * near / (far - near)).toFloat()
    }
}

/**
 * The clockwise rotation in degrees that makes a camera's frame upright. [sensor] is the camera's `SENSOR_ORIENTATION`, and
 * [display] is the display's rotation from its natural orientation in degrees.
 */
fun uprightRotation(sensor: Int, display: Int, front: Boolean): Int =
    (if (front) sensor + display else sensor - display + 360) % 360
