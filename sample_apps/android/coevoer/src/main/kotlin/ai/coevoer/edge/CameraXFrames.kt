@file:JvmName("CameraXFrames")

package ai.coevoer.edge

import android.graphics.ImageFormat
import android.graphics.PixelFormat
import androidx.camera.core.ImageProxy

/**
 * A frame of CameraX's `ImageAnalysis`, not copied: close the image after the call that the frame is given to. Both output
 * formats will do; YUV is what the camera gives, and half the memory.
 *
 * CameraX is not a dependency of this library: an app that has none never loads this file.
 */
fun Frame.Companion.of(image: ImageProxy): Frame {
    val planes = image.planes.map { Plane(it.buffer, it.rowStride, it.pixelStride) }
    val rotation = image.imageInfo.rotationDegrees
    return when (image.format) {
        ImageFormat.YUV_420_888 -> yuv420(planes[0], planes[1], planes[2], image.width, image.height, rotation)
        PixelFormat.RGBA_8888 -> rgba(planes[0].buffer, image.width, image.height, planes[0].rowStride, rotation)
        else -> throw CoEvoerException.Usage(
            "The image's format is ${image.format}; give ImageAnalysis YUV_420_888 (35) or RGBA_8888 (1).",
        )
    }
}
