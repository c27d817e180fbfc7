@file:JvmName("AndroidFrames")

package ai.coevoer.edge

import android.graphics.Bitmap
import android.graphics.ImageFormat
import android.media.Image
import java.nio.ByteBuffer

/** A frame of a bitmap, whose pixels are copied once. All but `ARGB_8888` (hardware bitmaps too) are converted first. */
fun Frame.Companion.of(bitmap: Bitmap, rotationDegrees: Int = 0): Frame {
    if (bitmap.isRecycled) throw CoEvoerException.Usage("The bitmap is recycled; give one with pixels.")
    val plain = if (bitmap.config == Bitmap.Config.ARGB_8888) bitmap else bitmap.copy(Bitmap.Config.ARGB_8888, false)
        ?: throw CoEvoerException.Usage("A bitmap of ${bitmap.config} cannot be read; give one of ARGB_8888.")
    val pixels = ByteBuffer.allocateDirect(plain.byteCount)
    plain.copyPixelsToBuffer(pixels)
    pixels.rewind()
    return rgba(pixels, plain.width, plain.height, plain.rowBytes, rotationDegrees)
}

/** A frame of an `ImageReader`'s image, which is not copied: close the image after the call that takes the frame. */
fun Frame.Companion.of(image: Image, rotationDegrees: Int): Frame {
    if (image.format != ImageFormat.YUV_420_888)
        throw CoEvoerException.Usage("The image's format is ${image.format}; open the reader for YUV_420_888 (35).")
    val (y, u, v) = image.planes.map { Plane(it.buffer, it.rowStride, it.pixelStride) }
    return yuv420(y, u, v, image.width, image.height, rotationDegrees)
}
