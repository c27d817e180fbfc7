package ai.coevoer.edge.app

/** Results per second, and the time of each from the camera to here. Thread-safe. */
class Meters {
    private val sent = HashMap<Double, Long>()
    private val heardNs = ArrayDeque<Long>()
    private val latenciesMs = ArrayDeque<Double>()
    private val networkMs = ArrayDeque<Double>()

    /** Records that a frame was passed to the estimator. */
    @Synchronized
    fun sent(timestampMs: Double, nowNs: Long) {
        sent.values.removeAll { nowNs - it > FORGOTTEN_NS }
        sent[timestampMs] = nowNs
    }

    /** Records that its result has come. */
    @Synchronized
    fun heard(timestampMs: Double, networkMs: Double, nowNs: Long) {
        heardNs.addLast(nowNs)
        sent.remove(timestampMs)?.let { remember(latenciesMs, (nowNs - it) / 1e6) }
        remember(this.networkMs, networkMs)
    }

    private fun remember(values: ArrayDeque<Double>, value: Double) {
        values.addLast(value)
        if (values.size > WINDOW) values.removeFirst()
    }

    /** The results of the last second. */
    @Synchronized
    fun ratePerSecond(nowNs: Long): Int {
        while (heardNs.isNotEmpty() && nowNs - heardNs.first() >= SECOND_NS) heardNs.removeFirst()
        return heardNs.size
    }

    /** The median of the last results in ms, or null before the first. */
    @get:Synchronized
    val latency: Double? get() = median(latenciesMs)

    @get:Synchronized
    val network: Double? get() = median(networkMs)

    private fun median(values: Collection<Double>) = values.sorted().getOrNull(values.size / 2)

    private companion object {
        const val WINDOW = 31
        const val SECOND_NS = 1_000_000_000L
        const val FORGOTTEN_NS = 5 * SECOND_NS // dropped frames have no result
    }
}
