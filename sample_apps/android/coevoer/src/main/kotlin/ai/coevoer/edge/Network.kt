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
 * What runs the network. [run] reads the image it was loaded with and fills the outputs, from their first number to their
 * last. One call at a time, on the estimator's thread. What it throws is the cause of the estimator's exception.
 */
interface Network : AutoCloseable {
    fun run()
}

/** Loads the artifact of a bundle that was verified. */
fun interface NetworkLoader {
    /**
     * @param image (1, 3, H, W) RGB in 0..1, direct, filled before each run
     * @param outputs the manifest's, in its order, direct
     */
    fun load(artifact: File, image: NetworkTensor, outputs: List<NetworkTensor>): Network
}

/** A tensor in memory that lives as long as the network, so that nothing is allocated for a frame. */
class NetworkTensor internal constructor(val info: TensorInfo) {
    internal val bytes: ByteBuffer = ByteBuffer.allocateDirect(4 * info.size).order(ByteOrder.nativeOrder())

    /** Direct, native byte order; capacity is the tensor's size. */
    val values: FloatBuffer = bytes.asFloatBuffer()
}

/** Called by the JNI layer: makes the tensors, then has the app's loader load the network. */
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
