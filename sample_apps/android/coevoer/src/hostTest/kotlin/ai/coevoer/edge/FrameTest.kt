package ai.coevoer.edge

import java.nio.ByteBuffer
import kotlin.math.abs
import kotlin.random.Random
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** The network's input for all formats, strides, positions and rotations, compared with plain formulas. */
class FrameTest {
    private val random = Random(7)
    private val inputHeight = bundleInfo.input.shape[2].toInt()
    private val inputWidth = bundleInfo.input.shape[3].toInt()

    /** The network's input for a frame of the same size: the first look's pixels, 0..255. */
    private fun seen(frame: Frame): List<Int> {
        assertEquals(inputWidth, frame.width)
        assertEquals(inputHeight, frame.height)
        var first: FloatArray? = null
        val network = fake { image, outputs ->
            if (first == null) first = image
            SeesBright.stand(outputs, 0f, 96f, 128f, 200f)
        }
        open(RunningMode.VIDEO, network).use { it.detectForVideo(frame, 0) }
        return first!!.map { Math.round(255 * it) }
    }

    /** The upright picture by [colour] of a source pixel, in the network's order. */
    private fun expected(width: Int, height: Int, rotation: Int, colour: (x: Int, y: Int) -> Triple<Int, Int, Int>): List<Int> {
        val size = inputWidth * inputHeight
        val all = IntArray(3 * size)
        for (v in 0 until inputHeight) for (u in 0 until inputWidth) {
            // Rotating the source clockwise moves (x, y) to (u, v).
            val (x, y) = when (rotation) {
                0 -> u to v
                90 -> v to height - 1 - u
                180 -> width - 1 - u to height - 1 - v
                else -> width - 1 - v to u
            }
            val (r, g, b) = colour(x, y)
            val at = v * inputWidth + u
            all[at] = r
            all[size + at] = g
            all[2 * size + at] = b
        }
        return all.toList()
    }

    private fun noise(size: Int): ByteBuffer = direct(size).also { buffer ->
        for (i in 0 until size) buffer.put(i, random.nextInt(256).toByte())
    }

    private fun ByteBuffer.at(i: Int) = get(i).toInt() and 255

    private fun sides(rotation: Int) =
        if (rotation % 180 == 0) inputWidth to inputHeight else inputHeight to inputWidth

    @Test
    fun interleavedFormatsStridesPositionsAndRotations() {
        for (rotation in listOf(0, 90, 180, 270)) for ((name, channels) in listOf("rgb" to 3, "rgba" to 4, "bgra" to 4)) {
            val (width, height) = sides(rotation)
            val stride = channels * width + 13
            val start = 29
            val pixels = noise(start + height * stride)
            pixels.position(start)
            val frame = when (name) {
                "rgb" -> Frame.rgb(pixels, width, height, stride, rotation)
                "rgba" -> Frame.rgba(pixels, width, height, stride, rotation)
                else -> Frame.bgra(pixels, width, height, stride, rotation)
            }
            val expected = expected(width, height, rotation) { x, y ->
                val at = start + y * stride + channels * x
                val (r, b) = if (name == "bgra") 2 to 0 else 0 to 2
                Triple(pixels.at(at + r), pixels.at(at + 1), pixels.at(at + b))
            }
            assertEquals("$name, $rotation degrees", expected, seen(frame))
            assertEquals("the buffer is left as it was", start, pixels.position())
        }
    }

    @Test
    fun yuvPlanarAndInterleavedStridesAndRotations() {
        for (rotation in listOf(0, 90, 180, 270)) for (interleaved in listOf(false, true)) {
            val (width, height) = sides(rotation)
            val rows = (height + 1) / 2
            val yStride = width + 5
            val uvStride = (if (interleaved) width else width / 2) + 7
            val y = noise(height * yStride)
            val (u, v, step) = if (interleaved) {
                val both = noise(rows * uvStride)
                // NV21: V first; each plane starts at its own first sample, as ImageReader gives them.
                Triple(both.duplicate().position(1) as ByteBuffer, both.duplicate(), 2)
            } else {
                Triple(noise(rows * uvStride), noise(rows * uvStride), 1)
            }
            val uStart = u.position()
            val frame = Frame.yuv420(
                Plane(y, yStride, 1), Plane(u, uvStride, step), Plane(v, uvStride, step), width, height, rotation,
            )
            val expected = expected(width, height, rotation) { x, row ->
                val luma = y.at(row * yStride + x)
                val cb = u.at(uStart + row / 2 * uvStride + x / 2 * step) - 128
                val cr = v.at(row / 2 * uvStride + x / 2 * step) - 128
                fun level(value: Double) = Math.round(value).toInt().coerceIn(0, 255)
                Triple(level(luma + 1.402 * cr), level(luma - 0.344136 * cb - 0.714136 * cr), level(luma + 1.772 * cb))
            }
            val given = seen(frame)
            val worst = given.indices.maxOf { abs(given[it] - expected[it]) }
            assertTrue("interleaved $interleaved, $rotation degrees: off by $worst of 255", worst <= 1)
        }
    }

    @Test
    fun oddSidesOfYuv() {
        val (width, height) = 63 to 49
        fun plane(w: Int, h: Int) = Plane(noise(w * h), w, 1)
        val frame = Frame.yuv420(plane(63, 49), plane(32, 25), plane(32, 25), width, height, 90)
        assertEquals(49 to 63, frame.width to frame.height)
        open().use { it.detect(frame) }
    }

    @Test
    fun oneRowLessThanAWholeStrideIsEnough() {
        // The last row of a camera's image has no padding.
        val frame = Frame.rgba(direct(4 * (47 * 100 + 64)), 64, 48, 4 * 100)
        open().use { it.detect(frame) }
    }

    @Test
    fun wrongFramesAreRefusedInWords() {
        val pixels = direct(4 * 64 * 48)
        assertRefused<CoEvoerException.Usage>("is not direct") { Frame.rgba(ByteBuffer.allocate(4 * 64 * 48), 64, 48) }
        assertRefused<CoEvoerException.Usage>("holds 12288 bytes") { Frame.rgba(pixels, 64, 49) }
        assertRefused<CoEvoerException.Usage>("a row of 64 px takes 256 bytes") { Frame.rgba(pixels, 64, 48, 255) }
        assertRefused<CoEvoerException.Usage>("0 x 48 px") { Frame.rgba(pixels, 0, 48) }
        assertRefused<CoEvoerException.Usage>("40000 x 1 px") { Frame.rgba(direct(160000), 40000, 1) }
        assertRefused<CoEvoerException.Usage>("45 degrees") { Frame.rgba(pixels, 64, 48, rotationDegrees = 45) }
        assertRefused<CoEvoerException.Usage>("strides -256") { Frame.rgba(pixels, 64, 48, -256) }
        val y = Plane(direct(64 * 48), 64, 1)
        val half = Plane(direct(32 * 24), 32, 1)
        assertRefused<CoEvoerException.Usage>("Plane V holds 767") {
            Frame.yuv420(y, half, Plane(direct(32 * 24 - 1), 32, 1), 64, 48)
        }
        assertRefused<CoEvoerException.Usage>("has the same for both") {
            Frame.yuv420(y, half, Plane(direct(64 * 24), 64, 2), 64, 48)
        }
        pixels.position(4)
        assertRefused<CoEvoerException.Usage>("from its position on") { Frame.rgba(pixels, 64, 48) }
    }

    @Test
    fun bitmapsAreReadOnceAndConvertedWhereTheyHaveTo() {
        val colours = IntArray(inputWidth * inputHeight) { random.nextInt() or (255 shl 24) }
        for (config in listOf(android.graphics.Bitmap.Config.ARGB_8888, android.graphics.Bitmap.Config.RGB_565)) {
            val bitmap = android.graphics.Bitmap(colours, inputWidth, inputHeight, config)
            val expected = expected(inputWidth, inputHeight, 0) { x, y ->
                val c = colours[y * inputWidth + x]
                Triple(c shr 16 and 255, c shr 8 and 255, c and 255)
            }
            assertEquals(expected, seen(Frame.of(bitmap)))
        }
        val gone = android.graphics.Bitmap(colours, inputWidth, inputHeight, android.graphics.Bitmap.Config.ARGB_8888)
        gone.recycle()
        assertRefused<CoEvoerException.Usage>("recycled") { Frame.of(gone) }
    }
}
