package ai.coevoer.edge

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer

/** A tensor of the manifest: float32, batch 1 first. */
data class TensorInfo(val name: String, val shape: List<Long>) {
    val size get() = shape.fold(1L) { all, n -> all * n }.toInt()
}

/**
 * Runs the network. [run] reads the image that the network was loaded with and fills the outputs completely. It is called
 * on the estimator's thread, one call at a time. What it throws becomes the cause of the estimator's exception.
 */
interface Network : AutoCloseable {
    fun run()
}

/** Loads the artifact of a verified bundle. */
fun interface NetworkLoader {
    /**
     * @param image (1, 3, H, W) RGB in 0..1, in a direct buffer, filled before each run
     * @param outputs the manifest's outputs, in its order, in direct buffers
     */
    fun load(artifact: File, image: NetworkTensor, outputs: List<NetworkTensor>): Network
}

/** A tensor in memory that lives as long as the network, so that nothing is allocated for a frame. */
class NetworkTensor internal constructor(val info: TensorInfo) {
    internal val bytes: ByteBuffer = ByteBuffer.allocateDirect(4 * info.size).order(ByteOrder.nativeOrder())

    /** A direct buffer in native byte order, whose capacity is the tensor's size. */
    val values: FloatBuffer = bytes.asFloatBuffer()
}

/** Called by the JNI layer: creates the tensors, then calls the app's loader. */
internal class NetworkHost(private val loader: NetworkLoader) {
    fun load(artifact: ByteArray): LoadedNetwork {
        val file = File(String(artifact, Charsets.UTF_8))
        val info = BundleInfo.read(file.parentFile ?: File("."))
        val image = NetworkTensor(info.input)
        val outputs = info.outputs.map(::NetworkTensor)
        return LoadedNetwork(loader.load(file, image, outputs), image.bytes, outputs.map { it.bytes }.toTypedArray())
    }
}

/** Called by the JNI layer, which copies the image in and the outputs out. */
internal class LoadedNetwork(
    private val network: Network,
    @JvmField val image: ByteBuffer,
    @JvmField val outputs: Array<ByteBuffer>,
) {
    fun run() = network.run()

    fun close() = network.close()
}
