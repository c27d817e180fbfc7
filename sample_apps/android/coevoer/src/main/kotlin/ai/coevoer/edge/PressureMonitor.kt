package ai.coevoer.edge

import android.app.ActivityManager
import android.content.ComponentCallbacks2
import android.content.Context
import android.content.res.Configuration
import android.os.Build
import android.os.Handler
import android.os.Looper
import android.os.SystemClock

/**
 * Reports heat (Android 10 and newer) and low memory until it is closed, immediately and then at every change:
 * `PressureMonitor(context, estimator::setPressure)`. Open and close it on the main thread, where it calls [report].
 */
class PressureMonitor(private val context: Context, private val report: (Thermal, Boolean) -> Unit) : AutoCloseable {
    private val activities = context.getSystemService(Context.ACTIVITY_SERVICE) as ActivityManager
    private val handler = Handler(Looper.getMainLooper())
    private val state = PressureState()
    private val heat: AutoCloseable?

    private val memory = object : ComponentCallbacks2 {
        override fun onTrimMemory(level: Int) = update { state.trimmed(level, SystemClock.elapsedRealtime()) }

        @Deprecated("of the framework")
        override fun onLowMemory() = onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_RUNNING_CRITICAL)
        override fun onConfigurationChanged(configuration: Configuration) = Unit
    }

    private val poll = object : Runnable {
        override fun run() {
            val info = ActivityManager.MemoryInfo().also(activities::getMemoryInfo)
            update { state.polled(info.lowMemory, SystemClock.elapsedRealtime()) }
            handler.postDelayed(this, POLL_MS)
        }
    }

    init {
        report(state.thermal, state.lowMemory)
        heat = if (Build.VERSION.SDK_INT >= 29) ThermalWatch(context) { update { state.heated(it) } } else null
        context.registerComponentCallbacks(memory)
        poll.run()
    }

    override fun close() {
        handler.removeCallbacks(poll)
        context.unregisterComponentCallbacks(memory)
        heat?.close()
    }

    private inline fun update(change: () -> Boolean) {
        if (change()) report(state.thermal, state.lowMemory)
    }

    private companion object {
        const val POLL_MS = 5000L
    }
}

/** The last reported state. Each call returns whether something changed. */
internal class PressureState {
    var thermal = Thermal.NOMINAL
        private set
    var lowMemory = false
        private set
    private var lastLowMs = 0L

    fun heated(thermalStatus: Int): Boolean {
        val before = thermal
        thermal = Thermal.of(thermalStatus)
        return thermal != before
    }

    /** Levels above RUNNING_CRITICAL concern apps in the background, whose camera is off. */
    fun trimmed(level: Int, nowMs: Long): Boolean {
        if (level !in ComponentCallbacks2.TRIM_MEMORY_RUNNING_LOW..ComponentCallbacks2.TRIM_MEMORY_RUNNING_CRITICAL)
            return false
        return polled(true, nowMs)
    }

    /** Memory counts as low at once but as sufficient only after a while, because each change of models costs a load. */
    fun polled(systemIsLow: Boolean, nowMs: Long): Boolean {
        val before = lowMemory
        if (systemIsLow) lastLowMs = nowMs
        lowMemory = systemIsLow || before && nowMs - lastLowMs < CALM_MS
        return lowMemory != before
    }

    private companion object {
        const val CALM_MS = 30_000L
    }
}
