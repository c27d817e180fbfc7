package ai.coevoer.edge.app

import ai.coevoer.edge.Estimator
import ai.coevoer.edge.EstimatorResult
import ai.coevoer.edge.BundleInstaller
import ai.coevoer.edge.CoEvoerException
import ai.coevoer.edge.PressureMonitor
import ai.coevoer.edge.TrackingState
import android.Manifest
import android.app.Activity
import android.content.Intent
import android.content.pm.PackageManager
import android.graphics.Color
import android.graphics.PixelFormat
import android.net.Uri
import android.opengl.GLSurfaceView
import android.os.Handler
import android.os.Looper
import android.os.SystemClock
import android.provider.Settings
import android.view.Gravity
import android.view.View
import android.view.ViewGroup.LayoutParams.MATCH_PARENT
import android.view.ViewGroup.LayoutParams.WRAP_CONTENT
import android.view.WindowManager
import android.widget.Button
import android.widget.FrameLayout
import android.widget.LinearLayout
import android.widget.TextView
import java.io.File

/** The only screen: the preview, the mesh over it, a line of figures, and a notice when there is one. */
class LiveScreen(private val activity: Activity, private val camera: CameraSource) {
    private val state = ScreenState()
    private var meters = Meters()
    private val handler = Handler(Looper.getMainLooper())
    private val renderer = MeshRenderer(activity.assets) { camera.mirrored }
    private val overlay = GLSurfaceView(activity)
    private val line = TextView(activity)
    private val notice = TextView(activity)
    private val button = Button(activity)
    private var session: LiveSession? = null
    private var heard: Heard? = null
    private var pressure: PressureMonitor? = null

    private val tick = object : Runnable {
        override fun run() {
            refresh()
            handler.postDelayed(this, TICK_MS)
        }
    }

    fun create() {
        overlay.setEGLContextClientVersion(3)
        overlay.setEGLConfigChooser(8, 8, 8, 8, 16, 0)
        overlay.holder.setFormat(PixelFormat.TRANSLUCENT)
        overlay.setZOrderMediaOverlay(true)
        overlay.preserveEGLContextOnPause = true
        overlay.setRenderer(renderer)
        overlay.renderMode = GLSurfaceView.RENDERMODE_WHEN_DIRTY
        for (text in listOf(line, notice)) {
            text.setTextColor(Color.WHITE)
            text.setShadowLayer(4f, 0f, 0f, Color.BLACK)
            text.setPadding(PADDING, PADDING, PADDING, PADDING)
        }
        notice.textSize = 18f
        notice.gravity = Gravity.CENTER
        button.setOnClickListener { act() }
        val middle = LinearLayout(activity)
        middle.orientation = LinearLayout.VERTICAL
        middle.setGravity(Gravity.CENTER) // no property before Android 7
        middle.addView(notice, LinearLayout.LayoutParams(MATCH_PARENT, WRAP_CONTENT))
        middle.addView(button, LinearLayout.LayoutParams(WRAP_CONTENT, WRAP_CONTENT))
        val root = FrameLayout(activity)
        root.fitsSystemWindows = true
        for (view in listOf(camera.preview, overlay)) root.addView(view, FrameLayout.LayoutParams(MATCH_PARENT, MATCH_PARENT))
        root.addView(middle, FrameLayout.LayoutParams(MATCH_PARENT, WRAP_CONTENT, Gravity.CENTER))
        root.addView(line, FrameLayout.LayoutParams(WRAP_CONTENT, WRAP_CONTENT, Gravity.TOP))
        activity.setContentView(root)
        activity.window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
    }

    /** Called when the screen becomes visible. */
    fun start() {
        overlay.onResume()
        tick.run()
        if (activity.checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED) run() else ask()
    }

    fun stop() {
        handler.removeCallbacks(tick)
        end()
        overlay.onPause()
    }

    /** For `onRequestPermissionsResult`. A cancelled request has no grants, and the next start asks again. */
    fun answered(grants: IntArray) {
        if (grants.isEmpty()) return
        if (grants.all { it == PackageManager.PERMISSION_GRANTED }) return run()
        val mayAskAgain = activity.shouldShowRequestPermissionRationale(Manifest.permission.CAMERA)
        state.permission = if (mayAskAgain) Permission.DENIED else Permission.DENIED_FOR_GOOD
        refresh()
    }

    private fun ask() {
        if (state.permission == Permission.UNKNOWN || state.permission == Permission.GRANTED)
            activity.requestPermissions(arrayOf(Manifest.permission.CAMERA), 0)
        refresh()
    }

    private fun run() {
        state.permission = Permission.GRANTED
        if (session != null) return
        meters = Meters()
        val listener = Heard()
        val opened = LiveSession(::install, meters, listener)
        heard = listener
        session = opened
        pressure = PressureMonitor(activity) { thermal, lowMemory ->
            state.thermal = thermal
            state.lowMemory = lowMemory
            opened.setPressure(thermal, lowMemory)
        }
        camera.start(
            { frame, timestampMs -> opened.push(frame, timestampMs, System.nanoTime()) },
            { state.cameraFault = it; refresh() },
        )
        refresh()
    }

    private fun end() {
        camera.stop()
        pressure?.close()
        session?.close()
        pressure = null
        session = null
        heard = null
        renderer.show(null, null)
        state.stopped()
    }

    private fun install(): Pair<File, File?> {
        val smaller = activity.assets.list(SMALLER).orEmpty().isNotEmpty()
        return BundleInstaller(activity.applicationContext, BUNDLE).install() to
            if (smaller) BundleInstaller(activity.applicationContext, SMALLER).install() else null
    }

    private fun act() = when (state.notice(SystemClock.elapsedRealtime()).action) {
        Notice.Action.ASK -> activity.requestPermissions(arrayOf(Manifest.permission.CAMERA), 0)
        Notice.Action.OPEN_SETTINGS -> activity.startActivity(
            Intent(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, Uri.parse("package:${activity.packageName}")),
        )
        Notice.Action.TRY_AGAIN -> {
            end()
            run()
        }
        null -> Unit
    }

    /** Passes the events of one session to the main thread. */
    private inner class Heard : SessionListener {
        override fun onReady(estimator: Estimator, meshes: MeshQueue) = onMain {
            renderer.show(meshes, estimator.faces)
            state.ready = true
            state.trained = estimator.info.trained
            state.heard(false, SystemClock.elapsedRealtime())
        }

        override fun onFrame(result: EstimatorResult) {
            overlay.requestRender()
            onMain {
                state.heard(result.person != null, SystemClock.elapsedRealtime())
                state.tracking = result.state == TrackingState.TRACKING
                state.smallerModel = result.smallerModel
                state.trained = result.trained
            }
        }

        override fun onFrameFailed(error: CoEvoerException) = onMain { state.frameFailed(error) }

        override fun onFailed(error: CoEvoerException) = onMain {
            state.fault = error
            refresh()
        }

        private fun onMain(change: () -> Unit) {
            handler.post { if (heard === this) change() } // events of a session that has ended are ignored
        }
    }

    private fun refresh() {
        val now = SystemClock.elapsedRealtime()
        line.text = state.line(meters.ratePerSecond(System.nanoTime()), meters.latency, meters.network)
        val shown = state.notice(now)
        notice.text = text(shown)?.let { activity.getString(it, state.detail) }
        notice.visibility = if (shown == Notice.NONE) View.GONE else View.VISIBLE
        button.visibility = if (shown.action == null) View.GONE else View.VISIBLE
        button.setText(
            when (shown.action) {
                Notice.Action.ASK -> R.string.allow
                Notice.Action.OPEN_SETTINGS -> R.string.settings
                Notice.Action.TRY_AGAIN, null -> R.string.again
            },
        )
    }

    private fun text(notice: Notice): Int? = when (notice) {
        Notice.NONE -> null
        Notice.INSTALLING -> R.string.installing
        Notice.NO_PERMISSION -> R.string.no_permission
        Notice.NO_PERMISSION_SETTINGS -> R.string.no_permission_settings
        Notice.NO_CAMERA -> R.string.no_camera
        Notice.NO_BUNDLE -> R.string.no_bundle
        Notice.NO_ENGINE -> R.string.no_engine
        Notice.NO_MEMORY -> R.string.no_memory
        Notice.FAILED -> R.string.failed
        Notice.NOBODY -> R.string.nobody
    }

    private companion object {
        const val BUNDLE = "coevoer"
        const val SMALLER = "coevoer-smaller"
        const val TICK_MS = 500L
        const val PADDING = 32
    }
}
