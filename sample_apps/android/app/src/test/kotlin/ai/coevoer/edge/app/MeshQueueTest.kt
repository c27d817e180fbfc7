package ai.coevoer.edge.app

import java.nio.FloatBuffer
import java.util.concurrent.atomic.AtomicBoolean
import kotlin.concurrent.thread
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test

class MeshQueueTest {
    private val queue = MeshQueue { FloatBuffer.allocate(1000) }

    @Test
    fun theNewestIsDrawnUntilNobodyIsThere() {
        assertNull(queue.read())
        queue.write { it.frameWidth = 1 }
        queue.write { it.frameWidth = 2 }
        val drawn = queue.read()
        assertEquals(2, drawn!!.frameWidth)
        assertSame("again where there is no newer one", drawn, queue.read())
        queue.clear()
        assertNull(queue.read())
        queue.write { it.frameWidth = 3 }
        assertEquals(3, queue.read()!!.frameWidth)
    }

    @Test
    fun noMeshIsDrawnHalfWritten() {
        val done = AtomicBoolean()
        val writer = thread {
            for (n in 1..20_000) queue.write { mesh -> for (i in 0 until 1000) mesh.vertices.put(i, n.toFloat()) }
            done.set(true)
        }
        var last = 0f
        var seen = 0
        while (!done.get() || seen == 0) {
            val mesh = queue.read() ?: continue
            val first = mesh.vertices[0]
            assertTrue("older than the one before", first >= last)
            for (i in 0 until 1000) if (mesh.vertices[i] != first) throw AssertionError("half written")
            last = first
            ++seen
        }
        writer.join()
        assertEquals(20_000f, queue.read()!!.vertices[999], 0f)
    }
}
