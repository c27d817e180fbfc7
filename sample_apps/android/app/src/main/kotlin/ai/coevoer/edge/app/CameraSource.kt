package ai.coevoer.edge.app

import ai.coevoer.edge.Frame
import android.view.View

/** A camera with a preview. Call [start] and [stop] on the main thread, when permission has been granted. */
interface CameraSource {
    /** Fills its parent with the camera's picture, cropped at two sides, and mirrored for a user-facing camera. */
    val preview: View
    val mirrored: Boolean

    /**
     * @param frames called on the camera's thread; the frame's buffers are valid until it returns
     * @param failed called on the main thread with the reason, when the camera is off
     */
    fun start(frames: (frame: Frame, timestampMs: Double) -> Unit, failed: (String) -> Unit)
    fun stop()
}
