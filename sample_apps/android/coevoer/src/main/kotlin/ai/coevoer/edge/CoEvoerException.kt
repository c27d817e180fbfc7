package ai.coevoer.edge

/**
 * What can go wrong. Every message says what was given, what is valid and what to do.
 *
 * In a live stream these go to the [ErrorListener]; everywhere else they are thrown.
 */
sealed class CoEvoerException(message: String, cause: Throwable?) : RuntimeException(message, cause) {
    /** A call that cannot be answered: wrong mode, closed, bad frame, a timestamp that does not increase. Nothing changed. */
    class Usage(message: String, cause: Throwable? = null) : CoEvoerException(message, cause)

    /** A bundle that is missing, altered, or of another contract. */
    class Bundle(message: String, cause: Throwable? = null) : CoEvoerException(message, cause)

    /** Outputs that break the contract, or a runtime that fails. A stream goes on with its next frame. */
    class Network(message: String, cause: Throwable? = null) : CoEvoerException(message, cause)

    /** Too little memory. What was loaded is still usable; the call may be tried again. */
    class Memory(message: String, cause: Throwable? = null) : CoEvoerException(message, cause)

    /** The app has no engine library for this device. */
    class Engine(message: String, cause: Throwable? = null) : CoEvoerException(message, cause)

    internal companion object {
        /** [status] is a `coevoer_status`. What the app's own network said comes first. */
        fun of(status: Int, message: String, cause: Throwable?): CoEvoerException = when {
            cause is CoEvoerException -> cause
            cause is OutOfMemoryError -> Memory("$message (out of Java memory); free some and call again", cause)
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
