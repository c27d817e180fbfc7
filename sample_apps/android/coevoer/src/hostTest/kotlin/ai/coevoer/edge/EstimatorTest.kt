package ai.coevoer.edge

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test

/** Modes, results, misuse, failing networks, memory. Networks are fakes, in Kotlin. */
class EstimatorTest {
    @Test
    fun anImageWithSomebodyAndOneWithNobody() = open().use { estimator ->
        val seen = estimator.detect(picture(640, 480, true))
        val person = seen.person!!
        assertEquals(2 * estimator.info.jointNames.size, person.jointsPx.size)
        assertEquals("pelvis", estimator.info.jointNames[0])
        assertTrue("the second look is closer", seen.crop.width < 640)
        assertTrue(person.visibility.all { it > 0.8 })
        val dark = estimator.detect(picture(640, 480, false)).person!!
        assertTrue("the last output is always returned; the caller decides", dark.visibility.all { it < 0.2 })
    }

    @Test
    fun aStreamFindsLosesAndFindsAgain() = open(RunningMode.VIDEO).use { estimator ->
        var time = 0L
        fun show(somebody: Boolean) = estimator.detectForVideo(picture(640, 480, somebody), time).also { time += 50 }
        assertNull(show(false).person)
        val found = show(true)
        assertEquals(TrackingState.TRACKING, found.state)
        assertNotNull(found.person)
        assertEquals(50.0, found.timestampMs, 0.0)
        val covered = show(false)
        assertNull(covered.person)
        assertEquals(TrackingState.TRACKING, covered.state)
        repeat(7) { show(false) }
        assertEquals(TrackingState.SEARCHING, show(false).state)
        assertNotNull(show(true).person)
    }

    @Test
    fun theMeshLiesAboutItsJointsAndItsFacesInRange() = open().use { estimator ->
        val result = estimator.detect(picture(640, 480, true))
        val mesh = estimator.newMeshBuffer()
        estimator.mesh(result, mesh)
        assertEquals(0, mesh.position())
        val joints = result.person!!.jointsCam
        for (j in 0 until joints.size / 3) {
            val nearest = (0 until estimator.numVertices).minOf { v ->
                (0 until 3).sumOf { Math.pow(mesh[3 * v + it] - joints[3 * j + it], 2.0) }
            }
            assertTrue("no joint is further than 0.2 m below the skin", nearest < 0.04)
        }
        val faces = estimator.faces
        assertTrue(faces.remaining() > 3 * 1000)
        while (faces.hasRemaining()) assertTrue(faces.get() in 0 until estimator.numVertices)
        assertEquals("a caller's reading does not move the next one's", 0, estimator.faces.position())
    }

    @Test
    fun aMeshGoesBehindTheBuffersPosition() = open().use { estimator ->
        val result = estimator.detect(picture(640, 480, true))
        val plain = estimator.newMeshBuffer().also { estimator.mesh(result, it) }
        val count = 3 * estimator.numVertices
        val larger = ByteBuffer.allocateDirect(4 * (count + 9)).order(ByteOrder.nativeOrder()).asFloatBuffer()
        larger.position(5)
        estimator.mesh(result, larger)
        assertEquals(0f, larger[4], 0f)
        assertEquals(0f, larger[5 + count], 0f)
        for (i in 0 until count) assertEquals(plain[i], larger[5 + i], 0f)
        assertRefused<CoEvoerException.Usage>("holds ${count - 1} from its position") {
            larger.position(10)
            estimator.mesh(result, larger)
        }
    }

    @Test
    fun wrongMeshBuffersAreRefused() = open().use { estimator ->
        val result = estimator.detect(picture(640, 480, true))
        val bytes = 12 * estimator.numVertices
        val native = ByteOrder.nativeOrder()
        fun refusedFor(buffer: java.nio.FloatBuffer) =
            assertRefused<CoEvoerException.Usage>("direct, writable buffer of native") { estimator.mesh(result, buffer) }
        refusedFor(java.nio.FloatBuffer.allocate(bytes))
        val foreign = if (native == ByteOrder.BIG_ENDIAN) ByteOrder.LITTLE_ENDIAN else ByteOrder.BIG_ENDIAN
        refusedFor(direct(bytes).order(foreign).asFloatBuffer())
        refusedFor(estimator.newMeshBuffer().asReadOnlyBuffer())
        assertRefused<CoEvoerException.Usage>("floats") {
            estimator.mesh(result, direct(bytes - 4).order(native).asFloatBuffer())
        }
    }

    @Test
    fun resultsWithoutAPersonOrClosedHaveNoMesh() = open(RunningMode.VIDEO).use { estimator ->
        val room = estimator.newMeshBuffer()
        val nobody = estimator.detectForVideo(picture(64, 48, false), 0)
        assertRefused<CoEvoerException.Usage>("no person") { estimator.mesh(nobody, room) }
        val seen = estimator.detectForVideo(picture(64, 48, true), 40)
        val joints = seen.person!!.jointsPx
        seen.close()
        seen.close()
        assertRefused<CoEvoerException.Usage>("after the result's close()") { estimator.mesh(seen, room) }
        assertSame("the numbers stay", joints, seen.person.jointsPx)
    }

    @Test
    fun misuseIsRefusedInWords() {
        val frame = picture(64, 48, false)
        val image = open()
        assertRefused<CoEvoerException.Usage>("is for mode video; this estimator was opened for mode image") {
            image.detectForVideo(frame, 0)
        }
        assertRefused<CoEvoerException.Usage>("for mode live stream") { image.detectAsync(frame, 0) }
        image.close()
        image.close()
        for (call in listOf<(Estimator) -> Any?>(
            { it.detect(frame) }, { it.detectForVideo(frame, 0) }, { it.detectAsync(frame, 0) },
            { it.setPressure(Thermal.NOMINAL, false) },
        )) assertRefused<CoEvoerException.Usage>("after close(); open another") { call(image) }
        open(RunningMode.VIDEO).use { video ->
            video.detectForVideo(frame, 100)
            for (time in listOf(100.0, 90.0, Double.NaN))
                assertRefused<CoEvoerException.Usage>("timestamp") { video.detectForVideo(frame, time) }
            video.detectForVideo(frame, 101)
        }
        assertRefused<CoEvoerException.Usage>("needs a resultListener") {
            Estimator.createFromOptions(EstimatorOptions(bundle, runningMode = RunningMode.LIVE_STREAM))
        }
        assertRefused<CoEvoerException.Usage>("Listeners are for LIVE_STREAM") { open(RunningMode.VIDEO, results = { }) }
    }

    @Test
    fun facesAndNumbersOutliveTheEstimatorButNotTheMesh() {
        val estimator = open()
        val result = estimator.detect(picture(640, 480, true))
        estimator.close()
        assertTrue(estimator.faces[0] >= 0)
        assertTrue(estimator.numVertices > 0)
        assertRefused<CoEvoerException.Usage>("mesh() was called after close()") { estimator.mesh(result, estimator.newMeshBuffer()) }
    }

    @Test
    fun bundlesThatAreMissingAlteredOrOfAnotherContractAreRefused() {
        assertRefused<CoEvoerException.Bundle>("no bundle folder") { open(folder = File("/nowhere")) }
        TemporaryBundle().use { copy ->
            open(folder = copy.folder).close()
            File(copy.folder, artifact.name).appendBytes(byteArrayOf(0))
            assertRefused<CoEvoerException.Bundle>("${artifact.name} was altered") { open(folder = copy.folder) }
            copy.sign()
            copy.edit("\"schema_version\": 2", "\"schema_version\": 99")
            assertRefused<CoEvoerException.Bundle>("schema_version is 99") { open(folder = copy.folder) }
            File(copy.folder, artifact.name).delete()
            assertRefused<CoEvoerException.Bundle>("${artifact.name} is missing") { open(folder = copy.folder) }
        }
    }

    @Test
    fun pathsOutsideLatinAreRead() = TemporaryBundle("köln 東京 \uD83E\uDD38").use { copy ->
        open(folder = copy.folder).close()
        copy.edit("\"schema_version\": 2", "\"schema_version\": 99")
        assertRefused<CoEvoerException.Bundle>("köln 東京 \uD83E\uDD38") { open(folder = copy.folder) }
    }

    @Test
    fun aNetworkThatThrowsIsTheCauseAndTheStreamSurvives() {
        var frame = 0
        val odd = IllegalStateException("out of sorts")
        val network = fake { image, outputs ->
            SeesBright.answer(image, outputs)
            when (frame) {
                1 -> throw odd
                2 -> outputs.getValue("camera")[2] = Float.NaN
                3 -> throw OutOfMemoryError("for the test")
                4 -> throw CoEvoerException.Network("it says so itself")
            }
        }
        open(RunningMode.VIDEO, network).use { estimator ->
            fun show() = estimator.detectForVideo(picture(64, 48, true), 40L * frame)
            assertNotNull(show().person)
            frame = 1
            try {
                show()
                throw AssertionError("nothing was thrown")
            } catch (error: CoEvoerException.Network) {
                assertSame(odd, error.cause)
            }
            frame = 2
            assertRefused<CoEvoerException.Network>("not finite") { show() }
            frame = 3
            assertRefused<CoEvoerException.Memory>("Out of Java memory") { show() }
            frame = 4
            assertEquals("it says so itself", refused<CoEvoerException.Network> { show() })
            frame = 5
            assertNotNull(show().person)
        }
    }

    @Test
    fun aLoaderThatThrowsIsTheCause() {
        val odd = IllegalStateException("no such backend")
        try {
            open(loader = { _, _, _ -> throw odd }).close()
            throw AssertionError("nothing was thrown")
        } catch (error: CoEvoerException.Bundle) {
            assertSame(odd, error.cause)
        }
        assertRefused<CoEvoerException.Memory>("free some") { open(loader = { _, _, _ -> throw OutOfMemoryError() }) }
    }

    @Test
    fun callsFromInsideTheNetworkAreRefusedAndDoNotHang() {
        var self: Estimator? = null
        val said = ArrayList<String>()
        val network = fake { image, outputs ->
            SeesBright.answer(image, outputs)
            said += refused<CoEvoerException.Usage> { self!!.detect(picture(64, 48, true)) }
            said += refused<CoEvoerException.Usage> { self!!.close() }
        }
        open(loader = network).use {
            self = it
            it.detect(picture(64, 48, true))
        }
        assertTrue(said.size >= 2 && said.all { "from inside another call" in it })
    }

    @Test
    fun pressureChangesToTheSmallerModelAndBackOneAtATimeInMemory() = TemporaryBundle().use { smaller ->
        val loaded = ArrayList<File>()
        var alive = 0
        var most = 0
        val loader = NetworkLoader { file, image, outputs ->
            loaded += file.parentFile!!
            most = maxOf(most, ++alive)
            FakeNetwork(image, outputs, SeesBright::answer) { --alive }
        }
        open(RunningMode.VIDEO, loader, smaller = smaller.folder).use { estimator ->
            var time = 0L
            fun show() = estimator.detectForVideo(picture(640, 480, true), time).also { time += 33 }
            assertFalse(show().smallerModel)
            estimator.setPressure(Thermal.of(2), false)
            assertFalse(show().smallerModel)
            estimator.setPressure(Thermal.of(3), false)
            val small = show()
            assertTrue(small.smallerModel)
            assertNotNull("the person is kept", small.person)
            estimator.setPressure(Thermal.NOMINAL, true)
            assertTrue(show().smallerModel)
            estimator.setPressure(Thermal.NOMINAL, false)
            assertFalse(show().smallerModel)
        }
        assertEquals(listOf(bundle, smaller.folder, bundle), loaded)
        assertEquals(1, most)
        assertEquals("every network was closed", 0, alive)
    }

    @Test
    fun forgottenResultsGiveTheirMemoryBack() = open(RunningMode.VIDEO).use { estimator ->
        val before = NativeResult.count
        repeat(300) { estimator.detectForVideo(picture(64, 48, true), 33L * it) }
        for (attempt in 1..50) {
            System.gc()
            Thread.sleep(20)
            estimator.detectForVideo(picture(64, 48, true), 33L * (300 + attempt))
            if (NativeResult.count < before + 60) return@use
        }
        throw AssertionError("${NativeResult.count} results are still kept, $before were before")
    }

    @Test
    fun smoothingHoldsAJumpBackAndTheSameFramesGiveTheSamePerson() {
        fun run(smoothing: Boolean) = open(RunningMode.VIDEO, smoothing = smoothing).use { estimator ->
            (0 until 6).map { i ->
                val pixels = direct(4 * 640 * 480)
                val left = if (i < 3) 290 else 310 // px: the person jumps
                for (y in 96 until 384) for (x in left until left + 60) pixels.putInt(4 * (y * 640 + x), -1)
                estimator.detectForVideo(Frame.rgba(pixels, 640, 480), 33L * i).person!!.jointsPx[0]
            }
        }
        val smooth = run(true)
        assertEquals(smooth, run(true))
        val raw = run(false)
        val jump = raw[3] - raw[2]
        assertTrue("$raw", jump > 15)
        assertTrue("$smooth", smooth[3] - smooth[2] < jump && smooth[3] < smooth[4] && smooth[4] < smooth[5])
    }
}
