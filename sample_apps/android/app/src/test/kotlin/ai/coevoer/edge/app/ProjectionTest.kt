package ai.coevoer.edge.app

import ai.coevoer.edge.PinholeCamera
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class ProjectionTest {
    private fun project(matrix: FloatArray, point: DoubleArray, view: FrameToView): Triple<Double, Double, Double> {
        val clip = DoubleArray(4) { row -> (0..2).sumOf { matrix[4 * it + row] * point[it] } + matrix[12 + row] }
        return Triple(
            (clip[0] / clip[3] + 1) / 2 * view.viewWidth, (1 - clip[1] / clip[3]) / 2 * view.viewHeight, clip[2] / clip[3],
        )
    }

    @Test
    fun aPointIsDrawnWhereTheCameraSawIt() {
        val camera = PinholeCamera(12500.0, 250.0, 300.0)
        val point = doubleArrayOf(0.31, -0.42, 41.5)
        val xPx = camera.focalPx * point[0] / point[2] + camera.principalXPx
        val yPx = camera.focalPx * point[1] / point[2] + camera.principalYPx
        for ((width, height) in listOf(1080 to 2200, 2200 to 1080, 480 to 640)) for (mirrored in listOf(false, true)) {
            val view = FrameToView(480, 640, width, height, mirrored)
            val (x, y, depth) = project(projection(camera, view, 41.0), point, view)
            assertEquals(view.xScale * xPx + view.xOffset, x, 0.01)
            assertEquals(view.yScale * yPx + view.yOffset, y, 0.01)
            assertTrue("in front of what is further", depth in -1.0..1.0)
        }
    }

    @Test
    fun theFrameFillsTheViewAndItsCentreStays() {
        for (mirrored in listOf(false, true)) {
            val view = FrameToView(480, 640, 1080, 2200, mirrored)
            assertEquals(540.0, view.xScale * 240 + view.xOffset, 1e-9)
            assertEquals(1100.0, view.yScale * 320 + view.yOffset, 1e-9)
            assertEquals("the sides that fit are not cut", 0.0, view.yOffset, 1e-9)
            val left = view.xScale * (if (mirrored) 480 else 0) + view.xOffset
            assertTrue("the others are", left < 0)
        }
        assertTrue("a mirror", FrameToView(480, 640, 480, 640, true).xScale < 0)
    }

    @Test
    fun depthGrowsAwayFromTheViewerAndNearIsNeverBehindTheCamera() {
        val camera = PinholeCamera(5000.0, 96.0, 128.0)
        val view = FrameToView(192, 256, 192, 256, false)
        for (depth in listOf(0.5, 2.0, 40.0, 400.0)) {
            val matrix = projection(camera, view, depth)
            val depths = listOf(0.97, 1.0, 1.03).map { project(matrix, doubleArrayOf(0.0, 0.0, it * depth), view).third }
            assertEquals(depths.sorted(), depths)
            assertTrue("$depth m: $depths", depth > 80 || depths.all { it in -1.0..1.0 })
        }
    }

    @Test
    fun framesAreTurnedUpright() {
        // A phone's usual cameras: held upright, then rotated to the left by 90 degrees (display rotation 90).
        assertEquals(270, uprightRotation(270, 0, front = true))
        assertEquals(90, uprightRotation(90, 0, front = false))
        assertEquals(0, uprightRotation(270, 90, front = true))
        assertEquals(0, uprightRotation(90, 90, front = false))
        assertEquals(180, uprightRotation(90, 270, front = false))
    }
}
