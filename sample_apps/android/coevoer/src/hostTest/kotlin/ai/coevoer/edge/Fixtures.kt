package ai.coevoer.edge

import java.io.File
import java.nio.ByteBuffer
import java.nio.file.Files
import java.security.MessageDigest
import org.junit.Assert.assertTrue
import org.junit.Assert.fail

/** The bundle under test: `-Dcoevoer.bundle=`; build.sh sets it. */
val bundle: File by lazy {
    File(System.getProperty("coevoer.bundle") ?: error("set -Dcoevoer.bundle=FOLDER; build.sh does"))
}
val bundleInfo: BundleInfo by lazy { BundleInfo.read(bundle) }
val artifact: File by lazy { bundle.listFiles()!!.single { it.extension == "pte" } }

/** A copy of the bundle that a test may damage, with a few bytes for a network, which a fake one never reads. */
class TemporaryBundle(name: String = "bundle") : AutoCloseable {
    private val root: File = Files.createTempDirectory("coevoer").toFile()
    val folder = File(root, name).also { it.mkdirs() }

    init {
        for (file in listOf("body.safetensors", "conformance.safetensors", "manifest.json"))
            File(bundle, file).copyTo(File(folder, file))
        write(artifact.name, "no network".toByteArray())
    }

    fun write(file: String, bytes: ByteArray) {
        File(folder, file).writeBytes(bytes)
        sign()
    }

    fun edit(from: String, to: String) {
        val text = File(folder, "manifest.json").readText()
        assertTrue("the manifest has no $from", from in text)
        write("manifest.json", text.replaceFirst(from, to).toByteArray())
    }

    fun sign() = File(folder, "SHA256SUMS").writeText(
        folder.listFiles()!!.filter { it.name != "SHA256SUMS" }.sorted().joinToString("") { "${sha256(it)}  ${it.name}\n" },
    )

    override fun close() {
        root.deleteRecursively()
    }
}

fun sha256(file: File): String =
    MessageDigest.getInstance("SHA-256").digest(file.readBytes()).joinToString("") { "%02x".format(it) }

/** Runs [call], which must throw an exception of this kind, and returns its message. */
inline fun <reified E : Throwable> refused(call: () -> Unit): String {
    try {
        call()
    } catch (error: Throwable) {
        if (error is E) return error.message.orEmpty()
        throw AssertionError("another exception than ${E::class.java.simpleName}: $error", error)
    }
    fail("nothing was thrown; expected ${E::class.java.simpleName}")
    return ""
}

/** Runs [call], which must throw [E] with [part] in its message. */
inline fun <reified E : Throwable> assertRefused(part: String, call: () -> Unit) {
    val message = refused<E>(call)
    assertTrue("\"$message\" does not say \"$part\"", part in message)
}

fun direct(size: Int): ByteBuffer = ByteBuffer.allocateDirect(size)

/** Grey, with a bright upright bar in its middle if there is [somebody], for [SeesBright]. */
fun picture(width: Int, height: Int, somebody: Boolean): Frame {
    val pixels = direct(4 * width * height)
    if (somebody)
        for (y in height / 5 until height * 4 / 5) for (x in width * 9 / 20 until width * 11 / 20)
            pixels.putInt(4 * (y * width + x), -0x37373701) // 200, 200, 200, 255
    return Frame.rgba(pixels, width, height)
}

/** A network that needs no weights: [answer] computes its outputs. */
class FakeNetwork(
    private val image: NetworkTensor,
    private val outputs: List<NetworkTensor>,
    private val answer: (image: FloatArray, outputs: Map<String, FloatArray>) -> Unit,
    private val closed: () -> Unit = {},
) : Network {
    override fun run() {
        val pixels = FloatArray(image.info.size).also { image.values.clear(); image.values.get(it) }
        val filled = outputs.associate { it.info.name to FloatArray(it.info.size) }
        answer(pixels, filled)
        for (output in outputs) output.values.clear().let { output.values.put(filled.getValue(output.info.name)) }
    }

    override fun close() = closed()
}

fun fake(answer: (FloatArray, Map<String, FloatArray>) -> Unit) =
    NetworkLoader { _, image, outputs -> FakeNetwork(image, outputs, answer) }

/** A person at rest in the bright part of the crop and as high as it; nobody in a dark crop. */
object SeesBright : NetworkLoader {
    override fun load(artifact: File, image: NetworkTensor, outputs: List<NetworkTensor>): Network =
        FakeNetwork(image, outputs, ::answer)

    fun answer(image: FloatArray, outputs: Map<String, FloatArray>) {
        val (height, width) = bundleInfo.input.shape.drop(2).map { it.toInt() }
        val bright = (0 until width * height).filter { image[it] > 0.3f }
        if (bright.isEmpty()) return stand(outputs, 0.1f, 0.5f * width, 0.5f * height, 0.8f * height)
        val x = bright.map { it % width }
        val y = bright.map { it / width }
        val high = y.max() + 1f - y.min()
        stand(outputs, 0.9f, (x.min() + x.max() + 1) / 2f, (y.min() + y.max() + 1) / 2f, high)
    }

    fun stand(outputs: Map<String, FloatArray>, visibility: Float, pelvisX: Float, pelvisY: Float, heightPx: Float) {
        for ((name, values) in outputs)
            if (name.endsWith("_pose") || name == "global_orient")
                for (i in values.indices) values[i] = if (i % 9 % 4 == 0) 1f else 0f
        val upright = outputs.getValue("global_orient") // y of the body is up, y of the camera down
        upright[4] = -1f
        upright[8] = -1f
        val manifest = org.json.JSONObject(File(bundle, "manifest.json").readText())
        val camera = manifest.getJSONObject("camera")
        val centre = camera.getJSONArray("principal_point_px")
        val focal = camera.getDouble("focal_px").toFloat()
        val z = focal * 1.7f / heightPx // a body is about 1.7 m high
        val xyz = outputs.getValue("camera")
        xyz[0] = (pelvisX - centre.getDouble(0).toFloat()) * z / focal
        xyz[1] = (pelvisY - centre.getDouble(1).toFloat()) * z / focal
        xyz[2] = z
        outputs.getValue("visibility").fill(visibility)
    }
}

fun open(
    mode: RunningMode = RunningMode.IMAGE,
    loader: NetworkLoader? = SeesBright,
    folder: File = bundle,
    smaller: File? = null,
    smoothing: Boolean = true,
    results: ResultListener? = null,
    errors: ErrorListener? = null,
): Estimator {
    val live = mode == RunningMode.LIVE_STREAM
    return Estimator.createFromOptions(
        EstimatorOptions(
            folder, smaller, mode, smoothing, results ?: if (live) ResultListener { } else null,
            errors ?: if (live) ErrorListener { throw AssertionError(it) } else null, loader,
        ),
    )
}
