package ai.coevoer.edge

import java.io.File
import java.nio.file.Files
import org.junit.Assert.assertArrayEquals
import org.junit.Test

/** The root README's lines for Kotlin (build.sh takes them from there), run as they stand. */
class ReadmeTest {
    @Test
    fun theRootReadmesLinesGiveWhatTheEngineGives() {
        val folder = Files.createTempDirectory("coevoer").toFile()
        try {
            artifact.copyTo(File(folder, artifact.name))
            val image = FloatArray(bundleInfo.input.size) { it % 256 / 255f }
            val (leftHand, camera) = readmeSnippet(folder, image)
            val expected = bundleInfo.outputs.map { it.name }.zip(Stages.network(bundle.path, image)).toMap()
            assertArrayEquals(expected["left_hand_pose"], leftHand, 0f)
            assertArrayEquals(expected["camera"], camera, 0f)
        } finally {
            folder.deleteRecursively()
        }
    }
}
