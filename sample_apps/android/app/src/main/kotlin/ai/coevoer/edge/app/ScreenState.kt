package ai.coevoer.edge.app

import ai.coevoer.edge.CoEvoerException
import ai.coevoer.edge.Thermal
import kotlin.math.roundToInt

/** What stands in the middle of the screen, and what its button does. */
enum class Notice(val action: Action?) {
    NONE(null),
    INSTALLING(null),
    NO_PERMISSION(Action.ASK),
    NO_PERMISSION_SETTINGS(Action.OPEN_SETTINGS),
    NO_CAMERA(Action.TRY_AGAIN),
    NO_BUNDLE(Action.TRY_AGAIN),
    NO_ENGINE(null),
    NO_MEMORY(Action.TRY_AGAIN),
    FAILED(Action.TRY_AGAIN),
    NOBODY(null),
    ;

    enum class Action { ASK, OPEN_SETTINGS, TRY_AGAIN }
}

enum class Permission { UNKNOWN, GRANTED, DENIED, DENIED_FOR_GOOD }

/** What is known about the app, and what it says of that. The most basic trouble comes first. Main thread only. */
class ScreenState {
    var permission = Permission.UNKNOWN
    var ready = false
    var cameraFault: String? = null
    var fault: CoEvoerException? = null
    var trained = true
    var tracking = false
    var smallerModel = false
    var thermal = Thermal.NOMINAL
    var lowMemory = false
    private var lastPersonMs: Long? = null
    private var frameFaults = 0

    /** A result of the stream. */
    fun heard(person: Boolean, nowMs: Long) {
        if (person || lastPersonMs == null) lastPersonMs = nowMs // the wait for the first person begins now
        frameFaults = 0
        fault = null
    }

    /** A frame ended with an error: the stream goes on, so one is nothing to tell of, several in a row are. */
    fun frameFailed(error: CoEvoerException) {
        if (++frameFaults >= FRAME_FAULTS) fault = error
    }

    fun stopped() {
        ready = false
        tracking = false
        fault = null
        cameraFault = null
        lastPersonMs = null
        frameFaults = 0
    }

    fun notice(nowMs: Long): Notice {
        val since = lastPersonMs
        return when {
            permission == Permission.DENIED_FOR_GOOD -> Notice.NO_PERMISSION_SETTINGS
            permission == Permission.DENIED -> Notice.NO_PERMISSION
            permission == Permission.UNKNOWN -> Notice.NONE
            fault != null -> of(fault!!)
            cameraFault != null -> Notice.NO_CAMERA
            !ready -> Notice.INSTALLING
            since != null && nowMs - since > NOBODY_MS -> Notice.NOBODY
            else -> Notice.NONE
        }
    }

    /** What a notice is about, for its `%1$s`. */
    val detail get() = (fault?.message ?: cameraFault).orEmpty()

    private fun of(error: CoEvoerException) = when (error) {
        is CoEvoerException.Bundle -> Notice.NO_BUNDLE
        is CoEvoerException.Engine -> Notice.NO_ENGINE
        is CoEvoerException.Memory -> Notice.NO_MEMORY
        is CoEvoerException.Network, is CoEvoerException.Usage -> Notice.FAILED
    }

    /** The line at the top. */
    fun line(ratePerSecond: Int, latencyMs: Double?, networkMs: Double?): String = buildList {
        if (!ready) return@buildList
        add("$ratePerSecond fps")
        if (latencyMs != null && networkMs != null) add("${latencyMs.roundToInt()} ms (network ${networkMs.roundToInt()})")
        add(if (tracking) "tracking" else "searching")
        when (thermal) {
            Thermal.NOMINAL -> Unit
            Thermal.FAIR -> add("warm: fewer frames")
            Thermal.SERIOUS, Thermal.CRITICAL -> add("hot: fewer frames")
        }
        if (lowMemory) add("little memory")
        if (smallerModel) add("smaller model")
        if (!trained) add("untrained weights: this pose is random")
    }.joinToString("   ")

    private companion object {
        const val NOBODY_MS = 2000L
        const val FRAME_FAULTS = 5
    }
}
