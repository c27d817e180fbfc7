package ai.coevoer.edge

import java.io.File

enum class RunningMode {
    /** [Estimator.detect]: single pictures. */
    IMAGE,

    /** [Estimator.detectForVideo]: frames in order, results at once, one person followed and smoothed. */
    VIDEO,

    /** [Estimator.detectAsync]: camera frames, results to a listener, late frames left out. */
    LIVE_STREAM,
}

/** Called on the estimator's own thread, one call at a time. Must not close the estimator. */
fun interface ResultListener {
    fun onResult(result: EstimatorResult)
}

/** Likewise, for a frame that ended with an error; the stream goes on. */
fun interface ErrorListener {
    fun onError(error: CoEvoerException)
}

/**
 * @property bundle the folder of an exported bundle on the file system; [BundleInstaller] brings it there from assets
 * @property smallerBundle a smaller model for heat and low memory, exported with the same version; null: none
 * @property smoothing false: streams are reported as the network sees them
 * @property resultListener of [RunningMode.LIVE_STREAM], and only there; so is [errorListener]
 * @property networkLoader what runs the network: [ExecutorchNetwork], the app's own, or null for the runtime inside the
 *   engine, where that was built with one (`-DCOEVOER_EXECUTORCH=ON`)
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
