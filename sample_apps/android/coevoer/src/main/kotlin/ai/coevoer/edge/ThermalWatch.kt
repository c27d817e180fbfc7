package ai.coevoer.edge

import android.annotation.TargetApi
import android.content.Context
import android.os.PowerManager

/** Heat, as Android 10 and newer report it. It is a separate class, so that older versions never load it. */
@TargetApi(29)
internal class ThermalWatch(context: Context, private val heard: (Int) -> Unit) :
    PowerManager.OnThermalStatusChangedListener, AutoCloseable {
    private val power = context.getSystemService(Context.POWER_SERVICE) as PowerManager

    init {
        power.addThermalStatusListener(this) // reports the present status at once
    }

    override fun onThermalStatusChanged(status: Int) = heard(status)

    override fun close() = power.removeThermalStatusListener(this)
}
