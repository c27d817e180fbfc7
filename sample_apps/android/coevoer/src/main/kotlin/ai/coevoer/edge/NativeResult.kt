package ai.coevoer.edge

import java.lang.ref.PhantomReference
import java.lang.ref.ReferenceQueue
import java.util.Collections

/**
 * The native memory of a result. It is freed by [free], or after the result was garbage-collected, when the next one is
 * created. (`java.lang.ref.Cleaner` is available only from Android 13 on.)
 */
internal class NativeResult private constructor(result: EstimatorResult, private var address: Long) :
    PhantomReference<EstimatorResult>(result, collected) {

    /** Runs [block] with the address while nobody can free it. The address is 0 if the memory was freed. */
    @Synchronized
    fun <T> use(block: (Long) -> T): T = block(address)

    @Synchronized
    fun free() {
        if (address == 0L) return
        Native.freeResult(address)
        address = 0
        kept.remove(this)
        clear()
    }

    companion object {
        private val collected = ReferenceQueue<EstimatorResult>()
        private val kept = Collections.synchronizedSet(HashSet<NativeResult>())

        fun keep(result: EstimatorResult, address: Long): NativeResult {
            while (true) (collected.poll() ?: break).let { (it as NativeResult).free() }
            return NativeResult(result, address).also(kept::add)
        }

        /** How many results hold native memory. */
        val count get() = kept.size
    }
}
