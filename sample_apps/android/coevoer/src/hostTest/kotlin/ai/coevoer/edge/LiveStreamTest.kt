package ai.coevoer.edge

import java.util.Collections
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import kotlin.concurrent.thread
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNotSame
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.Timeout

/** Listeners and threads. The machine's speed does not matter: the network waits for the test where order matters. */
class LiveStreamTest {
    @get:Rule val patience: Timeout = Timeout.seconds(120) // a stream that hangs fails

    private val results = Collections.synchronizedList(ArrayList<EstimatorResult>())
    private val errors = Collections.synchronizedList(ArrayList<CoEvoerException>())
    private val threads = Collections.synchronizedSet(HashSet<Thread>())

    private fun live(loader: NetworkLoader = SeesBright, heard: (EstimatorResult) -> Unit = {}) = open(
        RunningMode.LIVE_STREAM, loader,
        results = { results += it; threads += Thread.currentThread(); heard(it) },
        errors = { errors += it; threads += Thread.currentThread() },
    )

    /** Blocks the network in its first frame until it is opened. */
    private class Gate {
        val entered = CountDownLatch(1)
        private val open = CountDownLatch(1)
        fun open() = open.countDown()
        val network = fake { image, outputs ->
            entered.countDown()
            open.await(30, TimeUnit.SECONDS)
            SeesBright.answer(image, outputs)
        }
    }

    @Test
    fun theNewestFrameWaitsTheOthersAreDroppedAndCloseFinishesBoth() {
        val gate = Gate()
        val estimator = live(gate.network)
        estimator.detectAsync(picture(320, 240, true), 0)
        gate.entered.await()
        for (time in 10L..40L step 10) estimator.detectAsync(picture(320, 240, true), time)
        gate.open()
        estimator.close()
        assertEquals(listOf(0.0, 40.0), results.map { it.timestampMs })
        assertEquals(listOf(0, 3), results.map { it.dropped })
        assertTrue(errors.isEmpty())
        assertEquals(1, threads.size)
        assertNotSame(Thread.currentThread(), threads.single())
        assertRefused<CoEvoerException.Usage>("after close()") { estimator.detectAsync(picture(64, 48, true), 50) }
    }

    @Test
    fun pixelsAreCopiedBeforeTheCallReturns() {
        val gate = Gate()
        val estimator = live(gate.network)
        estimator.detectAsync(picture(320, 240, false), 0)
        gate.entered.await()
        val pixels = direct(4 * 320 * 240)
        for (y in 60 until 180) for (x in 144 until 176) pixels.putInt(4 * (y * 320 + x), -1)
        estimator.detectAsync(Frame.rgba(pixels, 320, 240), 10)
        for (i in 0 until pixels.capacity()) pixels.put(i, 0)
        gate.open()
        estimator.close()
        assertNotNull(results.last().person)
    }

    @Test
    fun everyFrameIsHeardOfOrCounted() {
        val estimator = live()
        for (i in 0 until 60) estimator.detectAsync(picture(160, 120, true), 33L * i)
        estimator.close()
        assertEquals(60, results.sumOf { 1 + it.dropped })
        assertEquals(33.0 * 59, results.last().timestampMs, 0.0)
    }

    @Test
    fun aListenerMayPoseTheMeshWhileTheEstimatorIsClosing() {
        val gate = Gate()
        var posed = 0
        lateinit var estimator: Estimator
        estimator = live(gate.network) { result ->
            estimator.mesh(result, estimator.newMeshBuffer())
            ++posed
        }
        estimator.detectAsync(picture(320, 240, true), 0)
        gate.entered.await()
        estimator.detectAsync(picture(320, 240, true), 33)
        val closing = thread { estimator.close() }
        Thread.sleep(50)
        gate.open()
        closing.join(20_000)
        assertTrue("close() hangs", !closing.isAlive)
        assertEquals(2, posed)
    }

    @Test
    fun closingFromTheListenerIsRefusedNotADeadlock() {
        var said = ""
        val heard = CountDownLatch(1)
        lateinit var estimator: Estimator
        estimator = live {
            said = refused<CoEvoerException.Usage> { estimator.close() }
            heard.countDown()
        }
        estimator.detectAsync(picture(64, 48, true), 0)
        assertTrue(heard.await(20, TimeUnit.SECONDS))
        assertTrue(said, "The listener called close()" in said)
        estimator.close()
    }

    @Test
    fun aFrameThatFailsIsHeardOfWithItsCauseAndTheStreamGoesOn() {
        val odd = IllegalStateException("out of sorts")
        val calls = AtomicInteger()
        val network = fake { image, outputs ->
            if (calls.getAndIncrement() == 0) throw odd
            SeesBright.answer(image, outputs)
        }
        val estimator = live(network)
        estimator.detectAsync(picture(64, 48, true), 0)
        while (errors.isEmpty()) Thread.sleep(1)
        estimator.detectAsync(picture(64, 48, true), 33)
        estimator.close()
        assertTrue(errors.single() is CoEvoerException.Network)
        assertSame(odd, errors.single().cause)
        assertEquals(1, results.size)
    }

    @Test
    fun whatAListenerThrowsGoesToItsThreadsHandlerAndTheStreamGoesOn() {
        val caught = Collections.synchronizedList(ArrayList<Throwable>())
        val before = Thread.getDefaultUncaughtExceptionHandler()
        Thread.setDefaultUncaughtExceptionHandler { _, error -> caught += error }
        try {
            val odd = IllegalStateException("The app's own")
            val estimator = live { if (results.size == 1) throw odd }
            estimator.detectAsync(picture(64, 48, true), 0)
            while (results.isEmpty()) Thread.sleep(1)
            estimator.detectAsync(picture(64, 48, true), 33)
            estimator.close()
            assertEquals(2, results.size)
            assertSame(odd, caught.single())
        } finally {
            Thread.setDefaultUncaughtExceptionHandler(before)
        }
    }

    @Test
    fun heatLowersTheRateByTheFramesOwnTimes() {
        // The rates of a camera with 30 frames per second: all, 15, 15 and 5.
        for ((thermal, every) in Thermal.entries.zip(listOf(1, 2, 2, 6))) {
            results.clear()
            val estimator = live()
            estimator.setPressure(thermal, false)
            for (i in 0 until 90) {
                estimator.detectAsync(picture(64, 48, true), 1000L * i / 30)
                while (i % every == 0 && results.size <= i / every) Thread.sleep(1) // only the rate limit drops frames
            }
            estimator.close()
            val expected = (0 until 90 step every).map { (1000L * it / 30).toDouble() }
            assertEquals("$thermal", expected, results.map { it.timestampMs })
        }
    }

    @Test
    fun manyThreadsAndAClosingOne() = repeat(5) {
        val estimator = live()
        val time = AtomicInteger()
        val workers = (0 until 4).map { number ->
            thread {
                val room = estimator.newMeshBuffer()
                for (i in 0 until 40) try {
                    synchronized(time) { estimator.detectAsync(picture(96, 64, true), time.incrementAndGet().toLong()) }
                    results.lastOrNull()?.let { if (it.person != null && number % 2 == 0) estimator.mesh(it, room) }
                    estimator.setPressure(Thermal.entries[i % 2], false)
                } catch (_: CoEvoerException.Usage) {
                    // closed by now
                }
            }
        }
        Thread.sleep(5)
        val closers = (0 until 2).map { thread { estimator.close() } }
        (workers + closers).forEach { it.join(20_000); assertTrue("a thread hangs", !it.isAlive) }
        val count = results.size
        Thread.sleep(20)
        assertEquals("no listener is called after close()", count, results.size)
    }

    @Test
    fun imagesFromManyThreadsWaitForEachOther() = open().use { estimator ->
        val expected = estimator.detect(picture(320, 240, true)).person!!.jointsPx.toList()
        val wrong = AtomicInteger()
        (0 until 4).map {
            thread {
                repeat(10) {
                    if (estimator.detect(picture(320, 240, true)).person!!.jointsPx.toList() != expected)
                        wrong.incrementAndGet()
                }
            }
        }.forEach { it.join() }
        assertEquals(0, wrong.get())
    }
}
