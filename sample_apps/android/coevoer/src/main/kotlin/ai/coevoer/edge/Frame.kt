package ai.coevoer.edge

import java.nio.ByteBuffer

/** One plane of an image in a direct buffer: rows [rowStride] bytes apart, samples [pixelStride] bytes apart. */
class Plane(val buffer: ByteBuffer, val rowStride: Int, val pixelStride: Int)

/**
 * A camera's image: pixels in direct buffers of the caller, and the clockwise rotation in degrees that makes it upright. A
 * call reads the pixels, or copies them for a live stream, before it returns: an `Image` may be closed right after
 * `detectAsync`.
 *
 * Pass the frames of a front camera unmirrored: left and right are the person's own.
 */
class Frame private constructor(
    internal val planes: Array<ByteBuffer>,
    internal val layout: IntArray,
    /** Upright, px. */
    val width: Int,
    /** Upright, px. */
    val height: Int,
) {
    companion object {
        /** Bytes R, G, B, A: `ARGB_8888` bitmaps and `OUTPUT_IMAGE_FORMAT_RGBA_8888`. Alpha is not read. */
        @JvmStatic
        @JvmOverloads
        fun rgba(pixels: ByteBuffer, width: Int, height: Int, rowStride: Int = 4 * width, rotationDegrees: Int = 0) =
            of(RGBA, arrayOf(Plane(pixels, rowStride, 4)), width, height, rotationDegrees)

        /** Bytes B, G, R, A. Alpha is not read. */
        @JvmStatic
        @JvmOverloads
        fun bgra(pixels: ByteBuffer, width: Int, height: Int, rowStride: Int = 4 * width, rotationDegrees: Int = 0) =
            of(BGRA, arrayOf(Plane(pixels, rowStride, 4)), width, height, rotationDegrees)

        /** Bytes R, G, B. */
        @JvmStatic
        @JvmOverloads
        fun rgb(pixels: ByteBuffer, width: Int, height: Int, rowStride: Int = 3 * width, rotationDegrees: Int = 0) =
            of(RGB, arrayOf(Plane(pixels, rowStride, 3)), width, height, rotationDegrees)

        /**
         * `ImageFormat.YUV_420_888`: a luma plane, and two chroma planes of half the size (rounded up), planar or
         * interleaved. They are read as in JFIF, BT.601 over the full range, which is what Android cameras write.
         */
        @JvmStatic
        @JvmOverloads
        fun yuv420(y: Plane, u: Plane, v: Plane, width: Int, height: Int, rotationDegrees: Int = 0): Frame {
            if (u.rowStride != v.rowStride || u.pixelStride != v.pixelStride)
                throw CoEvoerException.Usage(
                    "The chroma planes have strides ${u.rowStride}, ${u.pixelStride} and ${v.rowStride}, " +
                        "${v.pixelStride}; YUV_420_888 has the same for both.",
                )
            return of(YUV420, arrayOf(y, u, v), width, height, rotationDegrees)
        }

        private fun of(format: Int, planes: Array<Plane>, width: Int, height: Int, rotationDegrees: Int): Frame {
            if (width !in 1..MAX_SIDE || height !in 1..MAX_SIDE)
                throw CoEvoerException.Usage("The frame is $width x $height px; give sides of 1 to $MAX_SIDE.")
            if (rotationDegrees !in ROTATIONS)
                throw CoEvoerException.Usage("The rotation is $rotationDegrees degrees; give 0, 90, 180 or 270.")
            for ((i, plane) in planes.withIndex()) {
                val half = format == YUV420 && i > 0
                check(plane, i, if (half) (width + 1) / 2 else width, if (half) (height + 1) / 2 else height, format)
            }
            val chroma = planes.getOrElse(1) { planes[0] }
            val layout = intArrayOf(
                format, width, height, rotationDegrees, planes[0].rowStride, planes[0].pixelStride,
                chroma.rowStride, chroma.pixelStride,
                *IntArray(planes.size) { planes[it].buffer.position() },
            )
            val turned = rotationDegrees % 180 != 0
            return Frame(
                Array(planes.size) { planes[it].buffer }, layout,
                if (turned) height else width, if (turned) width else height,
            )
        }

        private fun check(plane: Plane, index: Int, width: Int, height: Int, format: Int) {
            val name = if (format == YUV420) "Plane ${"YUV"[index]}" else "The buffer"
            if (!plane.buffer.isDirect)
                throw CoEvoerException.Usage("$name is not direct; copy it into ByteBuffer.allocateDirect.")
            val sample = if (format == YUV420) 1 else plane.pixelStride
            val row = (width - 1L) * plane.pixelStride + sample
            if (plane.pixelStride < 1 || plane.rowStride < row)
                throw CoEvoerException.Usage(
                    "$name has strides ${plane.rowStride} and ${plane.pixelStride}; a row of $width px takes $row bytes.",
                )
            val bytes = (height - 1L) * plane.rowStride + row
            if (plane.buffer.remaining() < bytes)
                throw CoEvoerException.Usage(
                    "$name holds ${plane.buffer.remaining()} bytes from its position on; the frame takes $bytes.",
                )
        }

        // The values of coevoer_pixel_format, and one more, which the JNI layer converts to RGB.
        private const val RGB = 0
        private const val RGBA = 1
        private const val BGRA = 2
        private const val YUV420 = 3
        private const val MAX_SIDE = 32768
        private val ROTATIONS = setOf(0, 90, 180, 270)
    }
}
