package ai.coevoer.edge

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

class PressureTest {
    @Test
    fun androidsThermalStatusInTheEnginesWords() {
        val words = listOf(
            Thermal.NOMINAL, Thermal.NOMINAL, Thermal.FAIR, Thermal.SERIOUS, Thermal.CRITICAL, Thermal.CRITICAL,
            Thermal.CRITICAL,
        )
        assertEquals(words, (0..6).map(Thermal::of)) // THERMAL_STATUS_NONE to _SHUTDOWN
    }

    @Test
    fun heatIsReportedWhenItChanges() {
        val state = PressureState()
        assertFalse(state.heated(0))
        assertFalse(state.heated(1))
        assertTrue(state.heated(3))
        assertEquals(Thermal.SERIOUS, state.thermal)
        assertFalse(state.heated(3))
        assertTrue(state.heated(1))
    }

    @Test
    fun memoryIsShortAtOnceAndWellAgainAfterAWhile() {
        val state = PressureState()
        assertFalse("RUNNING_MODERATE", state.trimmed(5, 0))
        assertFalse("UI_HIDDEN", state.trimmed(20, 0))
        assertFalse("COMPLETE", state.trimmed(80, 0))
        assertTrue("RUNNING_LOW", state.trimmed(10, 1000))
        assertTrue(state.lowMemory)
        assertFalse("RUNNING_CRITICAL, known already", state.trimmed(15, 2000))
        assertFalse("not yet", state.polled(false, 31_000))
        assertFalse("short again", state.polled(true, 31_500))
        assertFalse(state.polled(false, 61_000))
        assertTrue("30 s after it was last short", state.polled(false, 61_500))
        assertFalse(state.lowMemory)
    }
}
