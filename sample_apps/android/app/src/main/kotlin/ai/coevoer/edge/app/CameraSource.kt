package ai.coevoer.edge.app

import ai.coevoer.edge.Frame
import android.view.View

/** A camera with a preview. [start] and [stop] on the main thread, with the permission given. */
interface CameraSource {
    /** Fills its parent with the camera's picture, cut at two sides; a user-facing camera's as in a mirror. */
    val preview: View
    val mirrored: Boolean

    /**
     * @param frames called on a thread of the camera's; the frame's buffers are valid until it returns
     * @param failed what is wrong, on the main thread; the camera is off
     */
    fun start(frames: (frame: Frame, timestampMs: Double) -> Unit, failed: (String) -> Unit)
    fun stop()
}
