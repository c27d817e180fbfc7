package ai.coevoer.edge

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer
import java.nio.IntBuffer
import java.util.concurrent.locks.ReentrantReadWriteLock

/** The thermal states, named as on iOS. [of] maps Android's. */
enum class Thermal {
    NOMINAL, FAIR, SERIOUS, CRITICAL;

    companion object {
        /** From `PowerManager.getCurrentThermalStatus()`: none and light, moderate, severe, critical and above. */
        @JvmStatic
        fun of(thermalStatus: Int): Thermal = when {
            thermalStatus <= 1 -> NOMINAL
            thermalStatus == 2 -> FAIR
            thermalStatus == 3 -> SERIOUS
            else -> CRITICAL
        }
    }
}

/**
 * A person's upper body, hands and face as SMPL-X parameters, from images, videos and live cameras, in MediaPipe's form.
 *
 * ```
 * val estimator = Estimator.createFromOptions(EstimatorOptions(bundle))
 * val person = estimator.detect(Frame.of(bitmap)).person
 * ```
 *
 * Calls may come from any thread and wait for each other. All of them block ([detectAsync] and [setPressure] only briefly),
 * so do not open or detect on the main thread. After [close] every call throws [CoEvoerException.Usage].
 */
class Estimator private constructor(private var handle: Long, val info: BundleInfo) : AutoCloseable {
    // Calls take the read lock and freeing takes the write lock, so a call in progress keeps the native object alive.
    private val lock = ReentrantReadWriteLock()

    val numVertices: Int = Native.numVertices(handle)

    /** Three vertex indices per face, counterclockwise seen from outside. It never changes. */
    val faces: IntBuffer = direct(3 * Native.numFaces(handle)).asIntBuffer().also { Native.faces(handle, it) }
        get() = field.duplicate()

    /** [RunningMode.IMAGE]: looks twice, at the whole frame and then at the body found there. */
    fun detect(frame: Frame): EstimatorResult = EstimatorResult.of(
        call("detect") { Native.detect(it, frame.planes, frame.layout) },
    )

    /** [RunningMode.VIDEO]: the next frame; timestamps must increase. */
    fun detectForVideo(frame: Frame, timestampMs: Double): EstimatorResult = EstimatorResult.of(
        call("detectForVideo") { Native.detectForVideo(it, frame.planes, frame.layout, timestampMs) },
    )

    fun detectForVideo(frame: Frame, timestampMs: Long) = detectForVideo(frame, timestampMs.toDouble())

    /** [RunningMode.LIVE_STREAM]: copies the frame and returns. While a frame is processed, only the newest waits. */
    fun detectAsync(frame: Frame, timestampMs: Double) =
        call("detectAsync") { Native.detectAsync(it, frame.planes, frame.layout, timestampMs) }

    fun detectAsync(frame: Frame, timestampMs: Long) = detectAsync(frame, timestampMs.toDouble())

    /** Sets the device's pressure, from the next frame on. [PressureMonitor] calls this for you. */
    fun setPressure(thermal: Thermal, lowMemory: Boolean) =
        call("setPressure") { Native.setPressure(it, thermal.ordinal, lowMemory) }

    /** Allocates a buffer for [mesh]. */
    fun newMeshBuffer(): FloatBuffer = direct(3 * numVertices).asFloatBuffer()

    /**
     * Writes the posed body of [result] into [vertices], starting at the buffer's position, which does not change: x, y, z of
     * each vertex in the camera frame, m. It works on any thread, including in a listener.
     */
    fun mesh(result: EstimatorResult, vertices: FloatBuffer) {
        if (result.person == null) throw CoEvoerException.Usage("The result has no person; check result.person first.")
        if (!vertices.isDirect || vertices.isReadOnly || vertices.order() != ByteOrder.nativeOrder())
            throw CoEvoerException.Usage(
                "The mesh needs a direct, writable buffer of native byte order; newMeshBuffer() gives one.",
            )
        if (vertices.remaining() < 3 * numVertices)
            throw CoEvoerException.Usage(
                "The mesh takes ${3 * numVertices} floats; the buffer holds ${vertices.remaining()} from its position on.",
            )
        call("mesh") { estimator ->
            val memory = result.memory ?: throw CoEvoerException.Usage("The result did not come from an estimator.")
            memory.use {
                if (it == 0L) throw CoEvoerException.Usage("mesh() was called after the result's close(); call it before.")
                Native.mesh(estimator, it, vertices, vertices.position())
            }
        }
    }

    /**
     * Finishes a live stream's frames, then frees everything. No listener is called after it has returned. Closing twice
     * is harmless. A listener must not close its own estimator.
     */
    override fun close() {
        refuseNested("close")
        lock.readLock().lock()
        try {
            if (handle == 0L) return
            Native.close(handle) // a listener may still call mesh() in the last frame, so nothing is freed yet
        } finally {
            lock.readLock().unlock()
        }
        lock.writeLock().lock()
        try {
            if (handle != 0L) Native.free(handle)
            handle = 0
        } finally {
            lock.writeLock().unlock()
        }
    }

    private inline fun <T> call(name: String, block: (Long) -> T): T {
        refuseNested(name)
        lock.readLock().lock()
        try {
            if (handle == 0L) throw CoEvoerException.Usage("$name() was called after close(); open another estimator.")
            return block(handle)
        } finally {
            lock.readLock().unlock()
        }
    }

    // The engine's locks are not reentrant: if the app's network called the estimator, it would wait for itself.
    private fun refuseNested(name: String) {
        if (lock.readHoldCount > 0)
            throw CoEvoerException.Usage("$name() was called from inside another call of this estimator; call it afterwards.")
    }

    companion object {
        /**
         * Checks the bundle's digests and contract, then loads the network. Throws [CoEvoerException.Bundle],
         * [CoEvoerException.Memory], [CoEvoerException.Engine], or [CoEvoerException.Usage] for a listener that is missing
         * or that the mode does not use.
         */
        @JvmStatic
        fun createFromOptions(options: EstimatorOptions): Estimator {
            val live = options.runningMode == RunningMode.LIVE_STREAM
            val results = options.resultListener
            val errors = options.errorListener
            if (live && (results == null || errors == null))
                throw CoEvoerException.Usage("A live stream needs a resultListener and an errorListener; give both.")
            if (!live && (results != null || errors != null))
                throw CoEvoerException.Usage("Listeners are for LIVE_STREAM; the mode is ${options.runningMode}.")
            Native.load()
            val handle = Native.open(
                options.bundle.path.toByteArray(), options.smallerBundle?.path?.toByteArray(),
                options.runningMode.ordinal, !options.smoothing,
                if (results != null && errors != null) StreamListener(results, errors) else null,
                options.networkLoader?.let(::NetworkHost),
            )
            try {
                return Estimator(handle, BundleInfo.read(options.bundle))
            } catch (error: Throwable) {
                Native.free(handle)
                throw error
            }
        }

        private fun direct(numbers: Int) = ByteBuffer.allocateDirect(4 * numbers).order(ByteOrder.nativeOrder())
    }
}
