package ai.coevoer.edge.app

import ai.coevoer.edge.Estimator
import ai.coevoer.edge.EstimatorResult
import ai.coevoer.edge.BundleInstaller
import ai.coevoer.edge.BundleSource
import ai.coevoer.edge.CoEvoerException
import ai.coevoer.edge.NetworkLoader
import ai.coevoer.edge.SeesBright
import ai.coevoer.edge.TemporaryBundle
import ai.coevoer.edge.Thermal
import ai.coevoer.edge.artifact
import ai.coevoer.edge.bundle
import ai.coevoer.edge.picture
import java.io.File
import java.nio.file.Files
import java.util.Collections
import kotlin.math.abs
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test

/** The app without its screen: from an installed bundle and frames to what is rendered. */
class LiveSessionTest : SessionListener {
    private val root: File = Files.createTempDirectory("coevoer").toFile()
    private val results = Collections.synchronizedList(ArrayList<EstimatorResult>())
    private val failures = Collections.synchronizedList(ArrayList<CoEvoerException>())
    private val meters = Meters()

    @Volatile private var opened: Pair<Estimator, MeshQueue>? = null

    @Volatile private var failed: CoEvoerException? = null

    override fun onReady(estimator: Estimator, meshes: MeshQueue) {
        opened = estimator to meshes
    }

    override fun onFrame(result: EstimatorResult) {
        results += result
    }

    override fun onFrameFailed(error: CoEvoerException) {
        failures += error
    }

    override fun onFailed(error: CoEvoerException) {
        failed = error
    }

    @After
    fun clean() {
        root.deleteRecursively()
    }

    private fun session(loader: NetworkLoader = SeesBright, smaller: File? = null) = LiveSession(
        { BundleInstaller(BundleSource { File(bundle, it).inputStream() }, File(root, "bundle")).install() to smaller },
        meters, this, loader,
    )

    private fun await(what: String, condition: () -> Boolean) {
        val end = System.nanoTime() + 30_000_000_000
        while (!condition()) {
            if (System.nanoTime() > end) throw AssertionError("no $what")
            Thread.sleep(1)
        }
    }

    @Test
    fun framesBecomeMeshesThatLieOverThePersonOnTheScreen() = session().use { session ->
        session.push(picture(480, 640, true), 0.0, System.nanoTime()) // most likely too early, and then dropped
        await("estimator") { opened != null }
        val (estimator, meshes) = opened!!
        await("result") {
            session.push(picture(480, 640, true), System.nanoTime() / 1e6, System.nanoTime())
            results.any { it.person != null }
        }
        val mesh = meshes.read()!!
        assertEquals(480 to 640, mesh.frameWidth to mesh.frameHeight)
        assertNotNull(meters.latency)
        assertTrue(meters.ratePerSecond(System.nanoTime()) > 0)
        // Projected with the renderer's matrix, the mesh fills the bright bar, from 20 % to 80 % of the frame's height.
        for ((width, height) in listOf(1080 to 2200, 1000 to 1000)) for (mirrored in listOf(false, true)) {
            val view = FrameToView(mesh.frameWidth, mesh.frameHeight, width, height, mirrored)
            val matrix = projection(mesh.camera, view, mesh.origin[2])
            val drawn = (0 until estimator.numVertices).map { v ->
                val clip = FloatArray(4) { row ->
                    (0..2).map { matrix[4 * it + row] * mesh.vertices[3 * v + it] }.sum() + matrix[12 + row]
                }
                assertTrue("inside the depths that are drawn", abs(clip[2]) <= clip[3])
                (clip[0] / clip[3] + 1) / 2 * width to (1 - clip[1] / clip[3]) / 2 * height
            }
            val bar = view.yScale * 0.6 * 640
            val high = drawn.maxOf { it.second } - drawn.minOf { it.second }
            assertEquals("as high as the bar", bar, high.toDouble(), 0.15 * bar)
            val middle = (drawn.maxOf { it.first } + drawn.minOf { it.first }) / 2
            assertEquals("in the middle", width / 2.0, middle.toDouble(), 0.03 * width)
        }
    }

    @Test
    fun theRenderersMatrixPutsEveryJointWhereTheEngineSaysItIs() = session().use { session ->
        await("estimator") { opened != null }
        await("result") {
            session.push(picture(480, 640, true), System.nanoTime() / 1e6, System.nanoTime())
            results.any { it.person != null }
        }
        val person = results.first { it.person != null }.person!!
        val view = FrameToView(480, 640, 1080, 2200, true)
        val matrix = projection(person.camera, view, person.translation[2])
        for (joint in 0 until person.jointsPx.size / 2) {
            val clip = FloatArray(4) { row ->
                (0..2).map { matrix[4 * it + row] * person.jointsCam[3 * joint + it].toFloat() }.sum() + matrix[12 + row]
            }
            val x = (clip[0] / clip[3] + 1) / 2 * view.viewWidth
            val y = (1 - clip[1] / clip[3]) / 2 * view.viewHeight
            assertEquals(view.xScale * person.jointsPx[2 * joint] + view.xOffset, x.toDouble(), 0.05)
            assertEquals(view.yScale * person.jointsPx[2 * joint + 1] + view.yOffset, y.toDouble(), 0.05)
        }
    }

    @Test
    fun nobodyThereClearsTheMesh() = session().use { session ->
        await("estimator") { opened != null }
        await("person") {
            session.push(picture(480, 640, true), System.nanoTime() / 1e6, System.nanoTime())
            opened!!.second.read() != null
        }
        await("nobody") {
            session.push(picture(480, 640, false), System.nanoTime() / 1e6, System.nanoTime())
            opened!!.second.read() == null
        }
        assertTrue(failures.isEmpty())
    }

    @Test
    fun pressureHeardBeforeTheModelIsOpenIsObeyed() = TemporaryBundle().use { smaller ->
        session(smaller = smaller.folder).use { session ->
            session.setPressure(Thermal.SERIOUS, false)
            await("estimator") { opened != null }
            await("result") {
                session.push(picture(480, 640, true), System.nanoTime() / 1e6, System.nanoTime())
                results.isNotEmpty()
            }
            assertTrue(results[0].smallerModel)
        }
    }

    @Test
    fun aBundleThatTheAppCarriesDamagedIsTold() {
        val damaged = BundleSource { file ->
            val bytes = File(bundle, file).readBytes()
            if (file == artifact.name) bytes[7]++
            bytes.inputStream()
        }
        LiveSession({ BundleInstaller(damaged, File(root, "bundle")).install() to null }, meters, this, SeesBright).use {
            await("word of it") { failed != null }
            assertTrue(failed is CoEvoerException.Bundle)
            it.push(picture(64, 48, true), 0.0, 0)
            it.setPressure(Thermal.FAIR, true)
        }
        assertNull(opened)
    }

    @Test
    fun closedBeforeItIsOpenOrInTheMiddleItSaysNothingMore() {
        session().close()
        repeat(5) {
            opened = null
            val session = session()
            await("estimator") { opened != null }
            session.push(picture(96, 64, true), 1.0, 0)
            session.close()
            session.close()
            session.push(picture(96, 64, true), 2.0, 0)
            session.setPressure(Thermal.FAIR, true)
        }
        assertTrue(failures.toString(), failures.isEmpty())
    }

    @Test
    fun aNetworkThatFailsIsToldFrameByFrame() {
        val network = ai.coevoer.edge.fake { _, _ -> throw IllegalStateException("out of sorts") }
        session(network).use { session ->
            await("estimator") { opened != null }
            await("word of it") {
                session.push(picture(96, 64, true), System.nanoTime() / 1e6, 0)
                failures.size >= 2
            }
            assertTrue(failures.all { it is CoEvoerException.Network })
            assertTrue(results.isEmpty())
        }
    }
}
