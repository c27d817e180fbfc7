package ai.coevoer.edge.app

import ai.coevoer.edge.Frame
import ai.coevoer.edge.of
import android.app.Activity
import android.content.Context
import android.graphics.ImageFormat
import android.graphics.Matrix
import android.graphics.SurfaceTexture
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCaptureSession
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraManager
import android.hardware.camera2.CaptureRequest
import android.media.ImageReader
import android.os.Handler
import android.os.HandlerThread
import android.view.Surface
import android.view.TextureView
import kotlin.math.max

/** camera2: one stream of [WIDTH] x [HEIGHT], which every camera has, for the preview and one for the estimator. */
class PlatformCamera(private val activity: Activity) : CameraSource, TextureView.SurfaceTextureListener {
    private val manager = activity.getSystemService(Context.CAMERA_SERVICE) as CameraManager
    private val texture = TextureView(activity).also { it.surfaceTextureListener = this }
    private var running: Running? = null
    private var begin: (() -> Unit)? = null // waits for the texture

    override val preview get() = texture
    override var mirrored = true
        private set

    override fun start(frames: (frame: Frame, timestampMs: Double) -> Unit, failed: (String) -> Unit) {
        begin = { running = Running(frames, failed).also { it.open() } }
        if (texture.isAvailable) begin?.invoke()
    }

    override fun stop() {
        begin = null
        running?.close()
        running = null
    }

    /** From opening to closing, once. Camera callbacks and images come on its own thread. */
    private inner class Running(
        private val frames: (frame: Frame, timestampMs: Double) -> Unit,
        private val failed: (String) -> Unit,
    ) : CameraDevice.StateCallback() {
        private val thread = HandlerThread("coevoer-camera").also { it.start() }
        private val handler = Handler(thread.looper)
        private val reader = ImageReader.newInstance(WIDTH, HEIGHT, ImageFormat.YUV_420_888, IMAGES)
        private val surface = Surface(texture.surfaceTexture!!.also { it.setDefaultBufferSize(WIDTH, HEIGHT) })
        private var device: CameraDevice? = null // on the camera's thread; so is `opening`
        private var opening = false
        private var rotation = 0

        @Volatile private var closed = false

        fun open() {
            try {
                val ids = manager.cameraIdList
                val id = ids.firstOrNull { facing(it) == CameraCharacteristics.LENS_FACING_FRONT } ?: ids.firstOrNull()
                    ?: return fail("this device has none")
                mirrored = facing(id) == CameraCharacteristics.LENS_FACING_FRONT
                val sensor = manager.getCameraCharacteristics(id).get(CameraCharacteristics.SENSOR_ORIENTATION) ?: 0
                rotation = uprightRotation(sensor, DEGREES * activity.windowManager.defaultDisplay.rotation, mirrored)
                fill(rotation % 180 != 0)
                reader.setOnImageAvailableListener(::onImage, handler)
                handler.post { opening = true }
                manager.openCamera(id, this, handler)
            } catch (error: CameraAccessException) {
                notOpened(error.message ?: "error ${error.reason}")
            } catch (error: SecurityException) {
                notOpened("the permission was taken back")
            }
        }

        private fun notOpened(what: String) {
            handler.post { opening = false }
            fail(what)
        }

        private fun facing(id: String) = manager.getCameraCharacteristics(id).get(CameraCharacteristics.LENS_FACING)

        private fun onImage(reader: ImageReader) {
            val image = reader.acquireLatestImage() ?: return
            try {
                if (!closed) frames(Frame.of(image, rotation), image.timestamp / 1e6)
            } finally {
                image.close()
            }
        }

        override fun onOpened(camera: CameraDevice) {
            opening = false
            device = camera
            if (closed) return release()
            val targets = listOf(surface, reader.surface)
            val state = object : CameraCaptureSession.StateCallback() {
                override fun onConfigured(session: CameraCaptureSession) = guarded {
                    val request = camera.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW)
                    targets.forEach(request::addTarget)
                    request.set(CaptureRequest.CONTROL_AF_MODE, CaptureRequest.CONTROL_AF_MODE_CONTINUOUS_VIDEO)
                    session.setRepeatingRequest(request.build(), null, handler)
                }

                override fun onConfigureFailed(session: CameraCaptureSession) = fail("it refuses $WIDTH x $HEIGHT")
            }
            guarded { camera.createCaptureSession(targets, state, handler) }
        }

        override fun onDisconnected(camera: CameraDevice) = lost(camera, "another app took it")

        override fun onError(camera: CameraDevice, error: Int) = lost(camera, "error $error")

        private fun lost(camera: CameraDevice, what: String) {
            opening = false
            device = camera
            if (closed) release() else fail(what)
        }

        private inline fun guarded(call: () -> Unit) {
            try {
                call()
            } catch (error: CameraAccessException) {
                fail(error.message ?: "error ${error.reason}")
            } catch (error: IllegalStateException) {
                if (!closed) fail(error.message ?: "it was closed")
            }
        }

        private fun fail(what: String) = activity.runOnUiThread {
            if (!closed) failed(what)
            close()
        }

        /** On the main thread. A camera that is still being opened is closed once it is. */
        fun close() {
            if (closed) return
            closed = true
            handler.post { if (!opening) release() }
        }

        private fun release() {
            device?.close()
            reader.close()
            surface.release()
            thread.quitSafely()
        }
    }

    /** A texture is stretched over its view; this makes it fill the view with square pixels. */
    private fun fill(turned: Boolean) {
        val width = (if (turned) HEIGHT else WIDTH).toFloat()
        val height = (if (turned) WIDTH else HEIGHT).toFloat()
        val scale = max(texture.width / width, texture.height / height)
        val matrix = Matrix()
        matrix.setScale(
            scale * width / texture.width, scale * height / texture.height, texture.width / 2f, texture.height / 2f,
        )
        texture.setTransform(matrix)
    }

    override fun onSurfaceTextureAvailable(surface: SurfaceTexture, width: Int, height: Int) {
        begin?.invoke()
    }

    override fun onSurfaceTextureSizeChanged(surface: SurfaceTexture, width: Int, height: Int) = Unit

    override fun onSurfaceTextureDestroyed(surface: SurfaceTexture): Boolean {
        running?.close()
        running = null
        return true
    }

    override fun onSurfaceTextureUpdated(surface: SurfaceTexture) = Unit

    private companion object {
        const val WIDTH = 640
        const val HEIGHT = 480
        const val IMAGES = 3
        const val DEGREES = 90
    }
}
