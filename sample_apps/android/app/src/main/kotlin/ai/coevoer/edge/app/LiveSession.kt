package ai.coevoer.edge.app

import ai.coevoer.edge.Estimator
import ai.coevoer.edge.EstimatorOptions
import ai.coevoer.edge.EstimatorResult
import ai.coevoer.edge.CoEvoerException
import ai.coevoer.edge.ExecutorchNetwork
import ai.coevoer.edge.Frame
import ai.coevoer.edge.NetworkLoader
import ai.coevoer.edge.RunningMode
import ai.coevoer.edge.Thermal
import java.io.File
import java.util.concurrent.ExecutorService
import java.util.concurrent.Executors

/** The events of a session, on its own threads. */
interface SessionListener {
    fun onReady(estimator: Estimator, meshes: MeshQueue)
    fun onFrame(result: EstimatorResult)
    fun onFrameFailed(error: CoEvoerException)

    /** The session could not be opened and has ended. */
    fun onFailed(error: CoEvoerException)
}

/**
 * Turns frames into meshes while the screen is visible: it installs the bundle and opens the estimator in the background,
 * passes frames to it, and poses the mesh of each result. Frames that come before it is ready or after `close` are dropped.
 *
 * @param install copies the bundle, and the smaller one if the app has one, to the file system
 */
class LiveSession(
    private val install: () -> Pair<File, File?>,
    private val meters: Meters,
    private val listener: SessionListener,
    private val loader: NetworkLoader? = ExecutorchNetwork,
) : AutoCloseable {
    private val background: ExecutorService = Executors.newSingleThreadExecutor { Thread(it, "coevoer-session") }

    @Volatile private var estimator: Estimator? = null

    @Volatile private var closed = false
    private var pressure = Thermal.NOMINAL to false

    @Volatile private var frameSize = 1 to 1

    init {
        background.execute(::open)
    }

    private fun open() = try {
        val (bundle, smaller) = install()
        lateinit var meshes: MeshQueue
        val opened = Estimator.createFromOptions(
            EstimatorOptions(
                bundle, smaller, RunningMode.LIVE_STREAM,
                resultListener = { heard(it, meshes) },
                errorListener = { if (!closed) listener.onFrameFailed(it) },
                networkLoader = loader,
            ),
        )
        meshes = MeshQueue(opened::newMeshBuffer)
        listener.onReady(opened, meshes)
        synchronized(this) {
            opened.setPressure(pressure.first, pressure.second)
            estimator = opened
        }
    } catch (error: CoEvoerException) {
        listener.onFailed(error)
    }

    /** Called on the camera's thread. The frame's buffers may be reused when this returns. */
    fun push(frame: Frame, timestampMs: Double, nowNs: Long) {
        val to = estimator ?: return
        meters.sent(timestampMs, nowNs)
        frameSize = frame.width to frame.height
        try {
            to.detectAsync(frame, timestampMs)
        } catch (error: CoEvoerException) {
            if (!closed) listener.onFrameFailed(error) // closed in the meantime: the frame is dropped
        }
    }

    fun setPressure(thermal: Thermal, lowMemory: Boolean) = synchronized(this) {
        pressure = thermal to lowMemory
        if (!closed) estimator?.setPressure(thermal, lowMemory)
    }

    private fun heard(result: EstimatorResult, meshes: MeshQueue) = result.use {
        val person = result.person
        if (person == null) {
            meshes.clear()
        } else {
            meshes.write { mesh ->
                estimator?.mesh(result, mesh.vertices)
                mesh.camera = person.camera
                mesh.origin = person.translation
                mesh.frameWidth = frameSize.first
                mesh.frameHeight = frameSize.second
            }
        }
        meters.heard(result.timestampMs, result.timings.networkMs, System.nanoTime())
        if (!closed) listener.onFrame(result)
    }

    /** Returns at once. The last frames finish in the background, and their results are ignored. */
    override fun close() {
        if (closed) return
        closed = true
        background.execute { estimator?.close() }
        background.shutdown()
    }
}
