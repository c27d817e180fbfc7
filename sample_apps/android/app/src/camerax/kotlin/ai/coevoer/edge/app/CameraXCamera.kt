package ai.coevoer.edge.app

import ai.coevoer.edge.Frame
import ai.coevoer.edge.of
import android.util.Size
import androidx.activity.ComponentActivity
import androidx.camera.core.AspectRatio
import androidx.camera.core.CameraInfoUnavailableException
import androidx.camera.core.CameraSelector
import androidx.camera.core.ImageAnalysis
import androidx.camera.core.Preview
import androidx.camera.core.resolutionselector.AspectRatioStrategy
import androidx.camera.core.resolutionselector.ResolutionSelector
import androidx.camera.core.resolutionselector.ResolutionStrategy
import androidx.camera.lifecycle.ProcessCameraProvider
import androidx.camera.view.PreviewView
import androidx.core.content.ContextCompat
import java.util.concurrent.ExecutionException
import java.util.concurrent.ExecutorService
import java.util.concurrent.Executors

/** CameraX: preview and analysis of one shape, 4 : 3, so that both are cut alike. */
class CameraXCamera(private val activity: ComponentActivity) : CameraSource {
    private var provider: ProcessCameraProvider? = null
    private var analysis: ImageAnalysis? = null
    private var executor: ExecutorService? = null
    private var run = 0 // counts starts and stops: the provider may come after the stop

    override val preview = PreviewView(activity).also { it.scaleType = PreviewView.ScaleType.FILL_CENTER }
    override var mirrored = true
        private set

    override fun start(frames: (frame: Frame, timestampMs: Double) -> Unit, failed: (String) -> Unit) {
        val mine = ++run
        val future = ProcessCameraProvider.getInstance(activity)
        future.addListener({
            if (mine != run) return@addListener
            try {
                bind(future.get(), frames)
            } catch (error: ExecutionException) {
                failed(error.cause?.message ?: "CameraX does not start")
            } catch (error: CameraInfoUnavailableException) {
                failed(error.message ?: "no camera can be asked")
            } catch (error: IllegalArgumentException) {
                failed(error.message ?: "no camera has what is asked of it")
            } catch (error: IllegalStateException) {
                failed(error.message ?: "CameraX is not ready")
            }
        }, ContextCompat.getMainExecutor(activity))
    }

    private fun bind(from: ProcessCameraProvider, frames: (frame: Frame, timestampMs: Double) -> Unit) {
        mirrored = from.hasCamera(CameraSelector.DEFAULT_FRONT_CAMERA)
        val selector = if (mirrored) CameraSelector.DEFAULT_FRONT_CAMERA else CameraSelector.DEFAULT_BACK_CAMERA
        val shape = ResolutionSelector.Builder()
            .setAspectRatioStrategy(AspectRatioStrategy(AspectRatio.RATIO_4_3, AspectRatioStrategy.FALLBACK_RULE_AUTO))
        val shown = Preview.Builder().setResolutionSelector(shape.build()).build()
        shown.setSurfaceProvider(preview.surfaceProvider)
        val small = ResolutionStrategy(Size(640, 480), ResolutionStrategy.FALLBACK_RULE_CLOSEST_HIGHER_THEN_LOWER)
        val looked = ImageAnalysis.Builder()
            .setResolutionSelector(shape.setResolutionStrategy(small).build())
            .setBackpressureStrategy(ImageAnalysis.STRATEGY_KEEP_ONLY_LATEST)
            .setOutputImageFormat(ImageAnalysis.OUTPUT_IMAGE_FORMAT_YUV_420_888)
            .build()
        val thread = Executors.newSingleThreadExecutor()
        looked.setAnalyzer(thread) { image ->
            image.use { frames(Frame.of(it), it.imageInfo.timestamp / 1e6) }
        }
        from.unbindAll()
        from.bindToLifecycle(activity, selector, shown, looked)
        provider = from
        analysis = looked
        executor = thread
    }

    override fun stop() {
        ++run
        analysis?.clearAnalyzer()
        provider?.unbindAll()
        executor?.shutdown()
        provider = null
        analysis = null
        executor = null
    }
}
