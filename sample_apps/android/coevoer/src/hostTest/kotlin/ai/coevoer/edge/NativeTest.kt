package ai.coevoer.edge

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer
import java.nio.IntBuffer
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Test

/** The JNI functions alone: they too refuse what the Kotlin classes would have refused, and nothing crashes. */
class NativeTest {
    private val estimator: Long

    init {
        Native.load()
        estimator = Native.open(bundle.path.toByteArray(), null, 0, false, null, NetworkHost(SeesBright))
    }

    @After
    fun free() = Native.free(estimator)

    private fun layout(
        format: Int = 1, width: Int = 64, height: Int = 48, rotation: Int = 0, row: Int = 256, pixel: Int = 4,
        vararg positions: Int = intArrayOf(0),
    ) = intArrayOf(format, width, height, rotation, row, pixel, row, pixel, *positions)

    private fun refuse(planes: Array<ByteBuffer>, layout: IntArray) =
        assertRefused<CoEvoerException.Usage>("does not fit its buffers") { Native.detect(estimator, planes, layout) }

    @Test
    fun framesThatDoNotFitTheirBuffers() {
        val whole = direct(256 * 48)
        Native.freeResult(Native.detect(estimator, arrayOf(whole), layout()))
        refuse(arrayOf(direct(256 * 48 - 1)), layout())
        refuse(arrayOf(ByteBuffer.allocate(256 * 48)), layout())
        refuse(arrayOf(whole), layout(positions = intArrayOf(1)))
        refuse(arrayOf(whole), layout(positions = intArrayOf(-4)))
        refuse(arrayOf(whole), layout(positions = intArrayOf(Int.MAX_VALUE)))
        refuse(arrayOf(whole), layout(height = 49))
        refuse(arrayOf(whole), layout(height = 0))
        refuse(arrayOf(whole), layout(width = -64))
        refuse(arrayOf(whole), layout(row = -256))
        refuse(arrayOf(whole), layout(row = Int.MAX_VALUE))
        refuse(arrayOf(whole), layout(pixel = 3))
        refuse(arrayOf(whole), layout(width = Int.MAX_VALUE, height = Int.MAX_VALUE, row = Int.MAX_VALUE))
        for (rotation in listOf(-90, 45, 360)) refuse(arrayOf(whole), layout(rotation = rotation))
        for (format in listOf(-1, 3, 4, 99)) refuse(arrayOf(whole), layout(format = format))
        refuse(arrayOf(), layout(positions = intArrayOf()))
        refuse(arrayOf(whole), intArrayOf(1, 64))
        refuse(arrayOf(whole, whole), layout(positions = intArrayOf(0, 0)))
        refuse(arrayOf(whole, whole, direct(10)), layout(3, row = 64, pixel = 1, positions = intArrayOf(0, 0, 0)))
        @Suppress("UNCHECKED_CAST")
        refuse(arrayOfNulls<ByteBuffer>(1) as Array<ByteBuffer>, layout())
    }

    @Test
    fun meshesAndFacesThatDoNotFitTheirBuffers() {
        val result = Native.detect(estimator, arrayOf(direct(256 * 48)), layout())
        val size = 3 * Native.numVertices(estimator)
        val room = direct(4 * size).order(ByteOrder.nativeOrder()).asFloatBuffer()
        Native.mesh(estimator, result, room, 0)
        for (position in listOf(1, size + 1, -1, Int.MIN_VALUE, Int.MAX_VALUE))
            refused<CoEvoerException.Usage> { Native.mesh(estimator, result, room, position) }
        refused<CoEvoerException.Usage> { Native.mesh(estimator, result, FloatBuffer.allocate(size), 0) }
        refused<CoEvoerException.Usage> { Native.faces(estimator, IntBuffer.allocate(3 * Native.numFaces(estimator))) }
        refused<CoEvoerException.Usage> { Native.faces(estimator, direct(12).asIntBuffer()) }
        assertEquals("no such numbers", 0, Native.values(result, "nothing").size)
        Native.freeResult(result)
    }

    @Test
    fun wordsOfAnotherTooAreRead() {
        assertRefused<CoEvoerException.Usage>("mode is 7") {
            Native.open(bundle.path.toByteArray(), null, 7, false, null, NetworkHost(SeesBright))
        }
        assertRefused<CoEvoerException.Usage>("thermal state is 9") { Native.setPressure(estimator, 9, false) }
        assertRefused<CoEvoerException.Bundle>("no bundle folder") {
            Native.open(byteArrayOf(), null, 0, false, null, NetworkHost(SeesBright))
        }
    }
}
