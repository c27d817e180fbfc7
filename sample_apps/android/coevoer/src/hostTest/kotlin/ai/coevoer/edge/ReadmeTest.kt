package ai.coevoer.edge

import android.graphics.Bitmap
import java.io.File
import javax.imageio.ImageIO
import org.junit.Assert.assertArrayEquals
import org.junit.Test

/** Runs the lines of README.md for a picture unchanged. build.sh takes them from there. */
class ReadmeTest {
    @Test
    fun theReadmesLinesGiveWhatTheEnginesOwnRuntimeGives() {
        val photo = ImageIO.read(File(System.getProperty("coevoer.photo") ?: error("set -Dcoevoer.photo=; build.sh does")))
        val colours = photo.getRGB(0, 0, photo.width, photo.height, null, 0, photo.width)
        val bitmap = Bitmap(colours, photo.width, photo.height, Bitmap.Config.ARGB_8888)
        val person = readmeDetects(bundle, bitmap)
        open(loader = null).use { estimator ->
            val expected = estimator.detect(Frame.of(bitmap)).person!!
            assertArrayEquals(expected.parameters.leftHandPose, person.parameters.leftHandPose, 0.0)
            assertArrayEquals(expected.jointsPx, person.jointsPx, 0.0)
        }
    }
}
