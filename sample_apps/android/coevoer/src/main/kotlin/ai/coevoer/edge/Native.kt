package ai.coevoer.edge

/**
 * The JNI functions (src/main/cpp/jni.cpp), one for each function of `coevoer.h`. Their owners, [Estimator] and
 * [NativeResult], check the handles. Text is passed as UTF-8 bytes, because JNI's own strings use another encoding.
 */
internal object Native {
    private const val LIBRARY = "coevoer_jni"
    private var loaded = false

    @Synchronized
    fun load() {
        if (loaded) return
        try {
            System.loadLibrary(LIBRARY)
            loaded = true
        } catch (error: UnsatisfiedLinkError) {
            throw CoEvoerException.Engine(
                "This app has no lib$LIBRARY.so for ${System.getProperty("os.arch")} (${error.message}); " +
                    "build the library module with the NDK for that ABI.",
                error,
            )
        }
    }

    @JvmStatic external fun open(
        bundle: ByteArray, smallerBundle: ByteArray?, mode: Int, raw: Boolean, listener: StreamListener?,
        loader: NetworkHost?,
    ): Long

    @JvmStatic external fun close(estimator: Long)
    @JvmStatic external fun free(estimator: Long)
    @JvmStatic external fun detect(estimator: Long, planes: Array<java.nio.ByteBuffer>, layout: IntArray): Long
    @JvmStatic external fun detectForVideo(
        estimator: Long, planes: Array<java.nio.ByteBuffer>, layout: IntArray, timestampMs: Double,
    ): Long
    @JvmStatic external fun detectAsync(
        estimator: Long, planes: Array<java.nio.ByteBuffer>, layout: IntArray, timestampMs: Double,
    )
    @JvmStatic external fun setPressure(estimator: Long, thermal: Int, lowMemory: Boolean)
    @JvmStatic external fun numVertices(estimator: Long): Int
    @JvmStatic external fun numFaces(estimator: Long): Int
    @JvmStatic external fun faces(estimator: Long, indices: java.nio.IntBuffer)
    @JvmStatic external fun mesh(estimator: Long, result: Long, vertices: java.nio.FloatBuffer, position: Int)

    /** timestamp, state, person, trained, smaller model, dropped, crop (4), times (3). */
    @JvmStatic external fun head(result: Long): DoubleArray
    @JvmStatic external fun values(result: Long, name: String): DoubleArray
    @JvmStatic external fun freeResult(result: Long)

    /** The JNI layer calls this to create the exception that it throws. */
    @JvmStatic
    fun exception(status: Int, message: ByteArray, cause: Throwable?): Throwable =
        CoEvoerException.of(status, String(message, Charsets.UTF_8), cause)
}

/** Called by the JNI layer on the live stream's thread. An exception in a listener is uncaught, as in any thread. */
internal class StreamListener(private val result: ResultListener, private val error: ErrorListener) {
    fun onResult(address: Long) = guarded { result.onResult(EstimatorResult.of(address)) }

    fun onError(status: Int, message: ByteArray, cause: Throwable?) = guarded {
        error.onError(CoEvoerException.of(status, String(message, Charsets.UTF_8), cause))
    }

    private inline fun guarded(call: () -> Unit) {
        try {
            call()
        } catch (thrown: Throwable) {
            val thread = Thread.currentThread()
            val handler = thread.uncaughtExceptionHandler ?: Thread.getDefaultUncaughtExceptionHandler()
            handler?.uncaughtException(thread, thrown)
        }
    }
}
