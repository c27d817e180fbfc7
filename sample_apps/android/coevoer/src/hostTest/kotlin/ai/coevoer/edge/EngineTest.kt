package ai.coevoer.edge

import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** An app that has no engine library for its device: another JVM, which does not have the library on its path. */
class EngineTest {
    @Test
    fun anAppWithoutTheEnginesLibrarySaysSo() {
        val java = File(System.getProperty("java.home"), "bin/java").path
        val process = ProcessBuilder(
            java, "-Dcoevoer.bundle=${bundle.path}", "-cp", System.getProperty("java.class.path"), "ai.coevoer.edge.NoEngine",
        ).redirectErrorStream(true).start()
        val said = process.inputStream.bufferedReader().readText()
        assertEquals(said, 0, process.waitFor())
        assertTrue(said, "Engine: This app has no libcoevoer_jni.so for" in said)
    }
}

object NoEngine {
    @JvmStatic
    fun main(arguments: Array<String>) {
        try {
            open().close()
        } catch (error: CoEvoerException.Engine) {
            println("Engine: ${error.message}")
        }
    }
}
