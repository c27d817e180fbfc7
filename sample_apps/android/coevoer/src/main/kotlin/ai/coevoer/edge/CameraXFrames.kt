@file:JvmName("CameraXFrames")

package ai.coevoer.edge

import android.graphics.ImageFormat
import android.graphics.PixelFormat
import androidx.camera.core.ImageProxy

/**
 * A frame of CameraX's `ImageAnalysis`, which is not copied: close the image after the call that takes the frame. Both
 * output formats are accepted. YUV is the camera's own format and takes half the memory.
 *
 * CameraX is not a dependency of this library: an app without it never loads this file.
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
