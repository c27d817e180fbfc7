package ai.coevoer.edge.app

import android.os.Bundle
import androidx.activity.ComponentActivity

/** The flavour with CameraX. */
class MainActivity : ComponentActivity() {
    private lateinit var screen: LiveScreen

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        screen = LiveScreen(this, CameraXCamera(this))
        screen.create()
    }

    override fun onStart() {
        super.onStart()
        screen.start()
    }

    override fun onStop() {
        screen.stop()
        super.onStop()
    }

    @Deprecated("of the framework; LiveScreen asks in the way that both flavours have")
    override fun onRequestPermissionsResult(requestCode: Int, permissions: Array<String>, grantResults: IntArray) {
        super.onRequestPermissionsResult(requestCode, permissions, grantResults)
        screen.answered(grantResults)
    }
}
