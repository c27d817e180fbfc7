package ai.coevoer.edge.app

import android.app.Activity
import android.os.Bundle

/** The flavour without AndroidX: a plain activity, `android.hardware.camera2`. */
class MainActivity : Activity() {
    private lateinit var screen: LiveScreen

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        screen = LiveScreen(this, PlatformCamera(this))
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

    override fun onRequestPermissionsResult(requestCode: Int, permissions: Array<String>, grantResults: IntArray) {
        screen.answered(grantResults)
    }
}
