package ai.coevoer.edge

import java.io.File

enum class RunningMode {
    /** [Estimator.detect]: single pictures. */
    IMAGE,

    /** [Estimator.detectForVideo]: frames in order, each with its result; one person is tracked and smoothed. */
    VIDEO,

    /** [Estimator.detectAsync]: camera frames; results go to a listener, and late frames are dropped. */
    LIVE_STREAM,
}

/** Called on the estimator's own thread, one call at a time. It must not close the estimator. */
fun interface ResultListener {
    fun onResult(result: EstimatorResult)
}

/** Called in the same way for a frame that ended with an error. The stream continues. */
fun interface ErrorListener {
    fun onError(error: CoEvoerException)
}

/**
 * @property bundle the folder of an exported bundle in the file system; [BundleInstaller] copies it there from the assets
 * @property smallerBundle a smaller model for heat and low memory, exported with the same version; null: none
 * @property smoothing false disables temporal smoothing of streams
 * @property resultListener required in [RunningMode.LIVE_STREAM] and refused elsewhere, as is [errorListener]
 * @property networkLoader loads the network: [ExecutorchNetwork], the app's own loader, or null for the runtime inside the
 *   engine, if the engine was built with one (`-DCOEVOER_EXECUTORCH=ON`)
 */
class EstimatorOptions @JvmOverloads constructor(
    val bundle: File,
    val smallerBundle: File? = null,
    val runningMode: RunningMode = RunningMode.IMAGE,
    val smoothing: Boolean = true,
    val resultListener: ResultListener? = null,
    val errorListener: ErrorListener? = null,
    val networkLoader: NetworkLoader? = ExecutorchNetwork,
)
