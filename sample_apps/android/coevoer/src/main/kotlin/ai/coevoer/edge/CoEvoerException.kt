package ai.coevoer.edge

/**
 * The errors of the library. Every message says what was given, what is valid and what to do.
 *
 * In a live stream these go to the [ErrorListener]; everywhere else they are thrown.
 */
sealed class CoEvoerException(message: String, cause: Throwable?) : RuntimeException(message, cause) {
    /** A call that was refused: wrong mode, closed, bad frame, timestamp that does not increase. Nothing changed. */
    class Usage(message: String, cause: Throwable? = null) : CoEvoerException(message, cause)

    /** A bundle that is missing, was altered, or has another contract. */
    class Bundle(message: String, cause: Throwable? = null) : CoEvoerException(message, cause)

    /** Outputs that break the contract, or a runtime that fails. A stream continues with its next frame. */
    class Network(message: String, cause: Throwable? = null) : CoEvoerException(message, cause)

    /** Too little memory. The estimator is still usable, and the call may be tried again. */
    class Memory(message: String, cause: Throwable? = null) : CoEvoerException(message, cause)

    /** The app has no engine library for this device. */
    class Engine(message: String, cause: Throwable? = null) : CoEvoerException(message, cause)

    internal companion object {
        /** [status] is a `coevoer_status`. An exception of the app's own network takes precedence. */
        fun of(status: Int, message: String, cause: Throwable?): CoEvoerException = when {
            cause is CoEvoerException -> cause
            cause is OutOfMemoryError -> Memory("Out of Java memory; free some and call again. $message", cause)
            status == STATUS_BUNDLE -> Bundle(message, cause)
            status == STATUS_NETWORK -> Network(message, cause)
            status == STATUS_MEMORY -> Memory(message, cause)
            else -> Usage(message, cause)
        }

        private const val STATUS_BUNDLE = 2
        private const val STATUS_NETWORK = 3
        private const val STATUS_MEMORY = 4
    }
}
