package ai.coevoer.edge.app

import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test

class MetersTest {
    private val ms = 1_000_000L

    @Test
    fun ratesAndLatencies() {
        val meters = Meters()
        assertNull(meters.latency)
        for (i in 0 until 60) {
            val at = i * 50 * ms
            meters.sent(i.toDouble(), at)
            if (i % 2 == 0) meters.heard(i.toDouble(), 12.0, at + 30 * ms) // every other frame is dropped
        }
        assertEquals(10, meters.ratePerSecond(58 * 50 * ms + 30 * ms))
        assertEquals(30.0, meters.latency!!, 1e-9)
        assertEquals(12.0, meters.network!!, 1e-9)
        assertEquals("a stream that stands still", 0, meters.ratePerSecond(60_000 * ms))
    }

    @Test
    fun aResultOfAFrameLongForgottenHasNoLatency() {
        val meters = Meters()
        meters.sent(1.0, 0)
        meters.sent(2.0, 6000 * ms)
        meters.heard(1.0, 5.0, 6001 * ms)
        assertNull(meters.latency)
    }
}
