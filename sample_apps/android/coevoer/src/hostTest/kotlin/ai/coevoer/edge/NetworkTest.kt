package ai.coevoer.edge

import java.awt.image.BufferedImage
import java.io.File
import java.nio.file.Files
import javax.imageio.ImageIO
import kotlin.math.exp
import kotlin.math.ln
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/**
 * The real network, run by ExecutorchNetwork, whose `org.pytorch.executorch.Module` is a double over the wheel's C++
 * runtime here, and by the runtime inside the engine. They are compared with each other, with the C++ command line and with
 * the golden images.
 */
class NetworkTest {
    private fun property(name: String) = File(System.getProperty(name) ?: error("set -D$name=; build.sh does"))

    /** Frames of a stream: a photograph, rotated and cropped so that the person moves. */
    private val photo: BufferedImage = ImageIO.read(property("coevoer.photo"))

    private fun part(x: Int, y: Int, width: Int, height: Int) =
        BufferedImage(width, height, BufferedImage.TYPE_INT_RGB).also { it.graphics.drawImage(photo, -x, -y, null) }

    private fun BufferedImage.frame(): Frame {
        val pixels = direct(3 * width * height)
        for (y in 0 until height) for (x in 0 until width) getRGB(x, y).let {
            pixels.put((it shr 16).toByte()).put((it shr 8).toByte()).put(it.toByte())
        }
        pixels.rewind()
        return Frame.rgb(pixels, width, height)
    }

    private fun numbers(person: Person): Map<String, DoubleArray> {
        val p = person.parameters
        return mapOf(
            "global_orient" to p.globalOrient, "body_pose" to p.bodyPose, "left_hand_pose" to p.leftHandPose,
            "right_hand_pose" to p.rightHandPose, "jaw_pose" to p.jawPose, "betas" to p.betas,
            "expression" to p.expression, "translation" to person.translation,
            "camera" to person.camera.run { doubleArrayOf(focalPx, principalXPx, principalYPx) },
            "joints_cam" to person.jointsCam, "joints_px" to person.jointsPx, "part_boxes_px" to person.partBoxesPx,
            "visibility" to person.visibility,
        )
    }

    private fun flat(json: Any): List<Double> =
        if (json is JSONArray) List(json.length()) { flat(json.get(it)) }.flatten() else listOf((json as Number).toDouble())

    @Test
    fun imagesAreThoseOfTheCommandLineBitForBit() {
        val folder = Files.createTempDirectory("coevoer").toFile()
        try {
            val pictures = listOf(part(0, 0, 512, 512), part(60, 20, 400, 300), part(200, 0, 240, 480))
            val files = pictures.mapIndexed { i, picture ->
                File(folder, "$i.png").also { ImageIO.write(picture, "png", it) }.path
            }
            val command = listOf(property("coevoer.cli").path, bundle.path) + files + listOf("-o", folder.path)
            val process = ProcessBuilder(command).redirectErrorStream(true).start()
            val said = process.inputStream.bufferedReader().readText()
            assertEquals(said, 0, process.waitFor())
            for (loader in listOf(ExecutorchNetwork, null)) open(loader = loader).use { estimator ->
                for ((i, picture) in pictures.withIndex()) {
                    val json = JSONObject(File(folder, "$i.json").readText()).getJSONObject("person")
                    val result = estimator.detect(picture.frame())
                    val given = numbers(result.person!!)
                    assertEquals(json.length(), given.size)
                    for ((name, values) in given)
                        assertArrayEquals("$name of $i.png", flat(json.get(name)).toDoubleArray(), values, 0.0)
                    val mesh = estimator.newMeshBuffer().also { estimator.mesh(result, it) }
                    assertMesh(File(folder, "$i.obj"), mesh)
                }
            }
        } finally {
            folder.deleteRecursively()
        }
    }

    /** The command line writes six decimals, with y and z negated. */
    private fun assertMesh(obj: File, mesh: java.nio.FloatBuffer) {
        var at = 0
        obj.forEachLine { line ->
            if (!line.startsWith("v ")) return@forEachLine
            val (x, y, z) = line.split(' ').drop(1).map { it.toDouble() }
            for (value in listOf(x, -y, -z)) assertEquals(value, mesh[at++].toDouble(), 6e-7)
        }
        assertEquals(mesh.capacity(), at)
    }

    @Test
    fun streamsByTheModuleAreThoseOfTheEnginesOwnRuntimeBitForBit() {
        fun run(loader: NetworkLoader?) = open(RunningMode.VIDEO, loader).use { estimator ->
            (0 until 12).map { estimator.detectForVideo(part(4 * it, 2 * it, 440, 420).frame(), 33L * it) }
        }
        for ((one, other) in run(ExecutorchNetwork).zip(run(null))) {
            assertEquals(one.crop, other.crop)
            assertEquals(one.state, other.state)
            assertEquals(one.trained, bundleInfo.trained)
            assertEquals(one.person == null, other.person == null)
            if (one.person == null) continue
            for ((name, values) in numbers(one.person)) assertArrayEquals(name, values, numbers(other.person!!)[name], 0.0)
        }
    }

    @Test
    fun theNetworkIsTheEnginesBitForBitAndOnTheGoldenImagesAsNearToFloatAsTheQuantizedProgram() {
        val golden = Safetensors(property("coevoer.golden"))
        val images = golden.numbers("image")
        val (count, height, width) = golden.shape("image")
        val image = NetworkTensor(bundleInfo.input)
        val outputs = bundleInfo.outputs.map(::NetworkTensor)
        val given = outputs.associate { it.info.name to ArrayList<Double>() }
        ExecutorchNetwork.load(artifact, image, outputs).use { network ->
            for (n in 0 until count) {
                val planes = FloatArray(3 * height * width) {
                    val pixel = it % (height * width)
                    images[3 * (n * height * width + pixel) + it / (height * width)].toFloat() / 255
                }
                image.values.clear()
                image.values.put(planes)
                network.run()
                val engine = Stages.network(bundle.path, planes)
                for ((output, expected) in outputs.zip(engine)) {
                    val values = FloatArray(output.info.size).also { output.values.clear(); output.values.get(it) }
                    assertArrayEquals(output.info.name, expected, values, 0f)
                    given.getValue(output.info.name) += values.map { it.toDouble() }
                }
            }
        }
        // docs/pipeline.md, section 9: each image's root mean square, geometric mean over images and outputs.
        fun logError(a: List<Double>, b: DoubleArray) = a.indices.chunked(a.size / count).map { image ->
            ln(image.sumOf { (a[it] - b[it]) * (a[it] - b[it]) } / image.size) / 2
        }.average()
        val ratio = exp(given.map { (name, values) ->
            val exact = golden.numbers("float_$name")
            logError(values, exact) - logError(golden.numbers("quantized_$name").toList(), exact)
        }.average())
        val limit = golden.metadata.getString("max_self_check_ratio").toDouble()
        println("golden images: error over the quantized program's: %.3f (limit %.1f)".format(ratio, limit))
        assertTrue("ratio $ratio", ratio <= limit)
    }

    @Test
    fun artifactsThatAreNoneOrCutShortAreRefusedThoughTheirDigestIsRight() = TemporaryBundle().use { copy ->
        val whole = artifact.readBytes()
        for (bytes in listOf("no network".toByteArray(), ByteArray(0), whole.copyOf(8), whole.copyOf(whole.size / 2)))
            for (loader in listOf(ExecutorchNetwork, null)) {
                copy.write(artifact.name, bytes)
                assertRefused<CoEvoerException.Bundle>("ExecuTorch cannot load") { open(loader = loader, folder = copy.folder) }
            }
    }

    @Test
    fun tensorsOtherThanTheManifestsAreRefused() = TemporaryBundle().use { copy ->
        copy.write(artifact.name, artifact.readBytes())
        open(loader = ExecutorchNetwork, folder = copy.folder).close()
        val text = File(copy.folder, "manifest.json").readText()
        val manifest = JSONObject(text)
        val outputs = manifest.getJSONArray("outputs")
        val specs = (0 until outputs.length()).map { outputs.getJSONObject(it) }
        specs.single { it.getString("name") == "expression" }.put("shape", JSONArray(listOf(1, 11)))
        copy.write("manifest.json", manifest.toString().toByteArray())
        // The engine would first refuse the body's shapes, so the network is tested alone here.
        val info = BundleInfo.read(copy.folder)
        assertRefused<CoEvoerException.Bundle>("gave expression of shape [1, 10]; the manifest says [1, 11]") {
            val file = File(copy.folder, artifact.name)
            ExecutorchNetwork.load(file, NetworkTensor(info.input), info.outputs.map(::NetworkTensor))
        }
        assertRefused<CoEvoerException.Bundle>("gave 10 outputs; the manifest says 9") {
            val nine = bundleInfo.outputs.dropLast(1).map(::NetworkTensor)
            ExecutorchNetwork.load(artifact, NetworkTensor(bundleInfo.input), nine)
        }
        assertRefused<CoEvoerException.Bundle>("does not run") {
            ExecutorchNetwork.load(
                artifact, NetworkTensor(TensorInfo("image", listOf(1, 3, 128, 192))), bundleInfo.outputs.map(::NetworkTensor),
            )
        }
        assertRefused<CoEvoerException.Bundle>("is not for ExecuTorch") {
            ExecutorchNetwork.load(File("network.onnx"), NetworkTensor(info.input), emptyList())
        }
    }

    @Test
    fun times() {
        val frame = part(0, 0, 480, 480).frame()
        fun median(values: List<Double>) = values.sorted()[values.size / 2]
        for ((name, loader) in listOf("through Module" to ExecutorchNetwork, "runtime in the engine" to null)) {
            val beside = ArrayList<Double>()
            val network = ArrayList<Double>()
            open(RunningMode.VIDEO, loader).use { estimator ->
                for (i in 0 until 60) {
                    val start = System.nanoTime()
                    val timings = estimator.detectForVideo(frame, 33L * i).timings
                    if (i < 10) continue // not yet compiled
                    beside += (System.nanoTime() - start) / 1e6 - timings.totalMs
                    network += timings.networkMs
                }
            }
            assertTrue(network.all { it > 0 })
            val figures = listOf(median(network), median(beside))
            println("$name: network %.2f ms, Kotlin and JNI around the engine %.3f ms".format(*figures.toTypedArray()))
        }
        // A phone's camera, upright: what its frames cost before the engine sees them, without a network.
        val yuv = Frame.yuv420(
            Plane(direct(640 * 480), 640, 1), Plane(direct(640 * 240), 640, 2), Plane(direct(640 * 240), 640, 2), 640, 480, 270,
        )
        open(RunningMode.VIDEO, SeesBright).use { estimator ->
            val beside = List(100) {
                val start = System.nanoTime()
                val timings = estimator.detectForVideo(yuv, 33L * it).timings
                (System.nanoTime() - start) / 1e6 - timings.totalMs
            }
            println("YUV of 640 x 480 turned by 270 degrees, to RGB: %.2f ms".format(median(beside.drop(20))))
        }
        open(loader = null).use { estimator ->
            val room = estimator.newMeshBuffer()
            val mesh = List(40) {
                val result = estimator.detect(frame) // first, as in an app: caches hold the network
                val start = System.nanoTime()
                estimator.mesh(result, room)
                (System.nanoTime() - start) / 1e6
            }
            println("mesh into a direct buffer: %.3f ms, %d vertices".format(median(mesh), estimator.numVertices))
        }
    }
}
