package ai.coevoer.edge.app

import ai.coevoer.edge.CoEvoerException
import ai.coevoer.edge.Thermal
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class ScreenStateTest {
    private val state = ScreenState()

    private fun granted() = state.apply { permission = Permission.GRANTED }
    private fun running() = granted().apply { ready = true; heard(false, 0) }

    @Test
    fun withoutThePermissionNothingElseIsTold() {
        assertEquals("the system's own question is shown", Notice.NONE, state.notice(0))
        state.cameraFault = "another app took it"
        state.permission = Permission.DENIED
        assertEquals(Notice.NO_PERMISSION, state.notice(0))
        assertEquals(Notice.Action.ASK, state.notice(0).action)
        state.permission = Permission.DENIED_FOR_GOOD
        assertEquals(Notice.Action.OPEN_SETTINGS, state.notice(0).action)
    }

    @Test
    fun theModelIsPreparedThenNobodyIsThereThenSomebodyIs() {
        granted()
        assertEquals(Notice.INSTALLING, state.notice(0))
        running()
        assertEquals("give them time", Notice.NONE, state.notice(2000))
        assertEquals(Notice.NOBODY, state.notice(2001))
        state.heard(true, 2500)
        assertEquals(Notice.NONE, state.notice(4500))
        state.heard(false, 4501)
        assertEquals(Notice.NOBODY, state.notice(4502))
    }

    @Test
    fun everyErrorHasItsNoticeAndSaysItsWords() {
        val notices = mapOf(
            CoEvoerException.Bundle("altered") to Notice.NO_BUNDLE, CoEvoerException.Engine("altered") to Notice.NO_ENGINE,
            CoEvoerException.Memory("altered") to Notice.NO_MEMORY, CoEvoerException.Network("altered") to Notice.FAILED,
        )
        for ((error, notice) in notices) {
            granted().fault = error
            assertEquals(notice, state.notice(0))
            assertEquals("altered", state.detail)
        }
        state.stopped()
        state.cameraFault = "another app took it"
        assertEquals(Notice.NO_CAMERA, state.notice(0))
        assertEquals("another app took it", state.detail)
    }

    @Test
    fun oneFrameThatFailsIsNothingToTellOfSeveralInARowAre() {
        running()
        val error = CoEvoerException.Memory("little")
        repeat(4) { state.frameFailed(error) }
        state.heard(true, 10)
        repeat(4) { state.frameFailed(error) }
        assertEquals(Notice.NONE, state.notice(10))
        state.frameFailed(error)
        assertEquals(Notice.NO_MEMORY, state.notice(10))
        state.heard(true, 20)
        assertEquals("it has recovered by itself", Notice.NONE, state.notice(20))
    }

    @Test
    fun theLineOfFigures() {
        assertEquals("", state.line(0, null, null))
        running()
        state.trained = true
        assertEquals("0 fps   searching", state.line(0, null, null))
        state.tracking = true
        state.thermal = Thermal.SERIOUS
        state.lowMemory = true
        state.smallerModel = true
        state.trained = false
        assertEquals(
            "15 fps   38 ms (network 22)   tracking   hot: fewer frames   little memory   smaller model   " +
                "untrained weights: this pose is random",
            state.line(15, 38.4, 21.6),
        )
        assertTrue(ScreenState().trained)
    }
}
