package ai.coevoer.edge

import java.io.File
import kotlin.math.abs
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertTrue
import org.junit.Test

/**
 * Runs every case of the conformance kit (docs/pipeline.md, section 9). The search, track, detect, pose and refusal cases
 * use the public classes. The single stages (crop, decode, smooth) run in the engine inside the JNI library.
 */
class ConformanceTest {
    private val kit = Safetensors(File(bundle, "conformance.safetensors"))
    private val tolerances = JSONObject(kit.metadata.getString("tolerances"))

    private inner class Case(val prefix: String) {
        fun has(name: String) = prefix + name in kit.names
        fun numbers(name: String) = kit.numbers(prefix + name)
        fun shape(name: String) = kit.shape(prefix + name)
        fun part(name: String, frame: Int, frames: Int): DoubleArray {
            val all = numbers(name)
            return all.copyOfRange(frame * (all.size / frames), (frame + 1) * (all.size / frames))
        }

        fun check(name: String, given: DoubleArray) {
            val (absolute, relative) = tolerances.getJSONArray(name).let { it.getDouble(0) to it.getDouble(1) }
            val expected = numbers(name)
            assertEquals("$prefix$name", expected.size, given.size)
            val worst = given.indices.maxOfOrNull { abs(given[it] - expected[it]) - relative * abs(expected[it]) } ?: 0.0
            assertTrue("$prefix$name is off by $worst, allowed: $absolute", worst <= absolute) // NaN is not
        }
    }

    private fun cases(kind: String): List<Case> = generateSequence(0) { it + 1 }.map { Case("$kind.$it.") }
        .takeWhile { case -> kit.names.any { it.startsWith(case.prefix) } }.toList().also { assertTrue(it.isNotEmpty()) }

    private fun dark(width: Int, height: Int) = Frame.rgb(direct(3 * width * height), width, height)

    private fun DoubleArray.ints() = map { it.toInt() }

    @Test
    fun theKitIsOfThisBundleAndHoldsNoUnknownKind() {
        val kinds = kit.names.map { it.substringBefore('.') }.toSet()
        assertEquals(setOf("crop", "decode", "detect", "pose", "refuse", "search", "smooth", "track"), kinds)
        assertEquals(
            JSONObject(File(bundle, "manifest.json").readText()).getJSONObject("pipeline").toString(),
            JSONObject(kit.metadata.getString("pipeline")).toString(),
        )
        val all = kinds.sumOf { cases(it).size }
        assertEquals(JSONObject(kit.metadata.getString("cases")).length(), all)
        println("conformance kit: $all cases")
    }

    @Test
    fun crop() = cases("crop").forEach { case ->
        val (height, width) = case.shape("frame")
        val pixels = case.numbers("frame").map { it.toInt().toByte() }.toByteArray()
        case.check("tensor", Stages.crop(bundle.path, pixels, width, height, case.numbers("crop")))
    }

    private fun outputsOf(case: Case): Triple<Array<String>, Array<FloatArray>, Array<LongArray>> {
        val names = bundleInfo.outputs.map { it.name }.filter(case::has)
        return Triple(
            names.toTypedArray(),
            names.map { name -> FloatArray(case.numbers(name).size) { case.numbers(name)[it].toFloat() } }.toTypedArray(),
            names.map { name -> case.shape(name).map { it.toLong() }.toLongArray() }.toTypedArray(),
        )
    }

    private fun decode(case: Case): Array<DoubleArray> {
        val (names, values, shapes) = outputsOf(case)
        val (width, height) = case.numbers("frame_size").ints()
        return Stages.decode(bundle.path, names, values, shapes, case.numbers("crop"), width, height)
    }

    @Test
    fun decode() = cases("decode").forEach { case ->
        val expected = Stages.PARAMETERS.map { "decoded_$it" } +
            listOf("translation_crop", "translation_frame", "boxes_px", "joints_cam", "joints_px")
        expected.zip(decode(case)).forEach { (name, values) -> case.check(name, values) }
    }

    @Test
    fun pose() = cases("pose").forEach { case ->
        val z = 40f
        val network = fake { _, outputs ->
            for (name in Stages.PARAMETERS)
                case.numbers(name).forEachIndexed { i, v -> outputs.getValue(name)[i] = v.toFloat() }
            outputs.getValue("camera")[2] = z
        }
        open(loader = network).use { estimator ->
            val result = estimator.detect(dark(192, 256))
            val person = result.person!!
            case.check("joints", DoubleArray(person.jointsCam.size) { person.jointsCam[it] - if (it % 3 == 2) z else 0f })
            val mesh = estimator.newMeshBuffer().also { estimator.mesh(result, it) }
            val every = case.shape("vertices")[0]
            val step = (estimator.numVertices + every - 1) / every
            case.checkAtDepth("vertices", DoubleArray(3 * every) {
                mesh[3 * step * (it / 3) + it % 3].toDouble() - if (it % 3 == 2) z else 0f
            }, z)
        }
    }

    /** As [Case.check], with the rounding of float32 at a depth on top: the mesh is in the camera frame. */
    private fun Case.checkAtDepth(name: String, given: DoubleArray, depth: Float) {
        val expected = numbers(name)
        val allowed = tolerances.getJSONArray(name).getDouble(0) + 2 * Math.ulp(depth)
        val worst = given.indices.maxOf { abs(given[it] - expected[it]) }
        assertTrue("$prefix$name is off by $worst, allowed: $allowed", worst <= allowed)
    }

    @Test
    fun search() = cases("search").forEach { case ->
        val (width, height) = case.numbers("frame_size").ints()
        val crops = case.shape("crops")[0]
        open(RunningMode.VIDEO, fake { _, outputs -> SeesBright.stand(outputs, 0f, 96f, 128f, 200f) }).use { estimator ->
            val looked = (0 until crops).map { estimator.detectForVideo(dark(width, height), it * 33.0).crop }
            case.check("crops", looked.flatMap { listOf(it.x, it.y, it.width, it.height) }.toDoubleArray())
            // The round has ended, and the next one begins with the same crop.
            assertEquals(looked[0], estimator.detectForVideo(dark(width, height), crops * 33.0).crop)
        }
    }

    @Test
    fun track() = cases("track").forEach { case ->
        val times = case.numbers("timestamps_ms")
        var frame = 0
        val network = fake { _, outputs ->
            for ((name, values) in outputs)
                case.part(name, frame, times.size).forEachIndexed { i, v -> values[i] = v.toFloat() }
        }
        val results = open(RunningMode.VIDEO, network).use { estimator ->
            times.map { time ->
                val (width, height) = case.part("frame_sizes", frame, times.size).ints()
                estimator.detectForVideo(dark(width, height), time).also { ++frame }
            }
        }
        fun all(values: (EstimatorResult) -> List<Double>) = results.flatMap(values).toDoubleArray()
        fun person(size: Int, values: (Person) -> DoubleArray) =
            all { result -> result.person?.let(values)?.toList() ?: List(size) { 0.0 } }
        case.check("crops", all { listOf(it.crop.x, it.crop.y, it.crop.width, it.crop.height) })
        case.check("states", all { listOf(it.state.ordinal.toDouble()) })
        case.check("accepted", all { listOf(if (it.person != null) 1.0 else 0.0) })
        case.check("person_global_orient", person(9) { it.parameters.globalOrient })
        case.check("person_translation", person(3) { it.translation })
        case.check("person_joints_px", person(2 * bundleInfo.jointNames.size) { it.jointsPx })
    }

    /** Each row of the outputs belongs to one look. A third look would get the second row again. */
    @Test
    fun detect() = cases("detect").forEach { case ->
        var looks = 0
        val network = fake { _, outputs ->
            for ((name, values) in outputs)
                case.part(name, minOf(looks, 1), 2).forEachIndexed { i, v -> values[i] = v.toFloat() }
            ++looks
        }
        val (width, height) = case.numbers("frame_size").ints()
        val result = open(loader = network).use { it.detect(dark(width, height)) }
        case.check("looks", doubleArrayOf(looks.toDouble()))
        case.check("last_crop", result.crop.let { doubleArrayOf(it.x, it.y, it.width, it.height) })
        case.check("translation_crop", result.person!!.translation)
        case.check("joints_px", result.person.jointsPx)
    }

    @Test
    fun smooth() = cases("smooth").forEach { case ->
        val (width, height) = case.numbers("frame_size").ints()
        val given = (Stages.PARAMETERS + "translation").map(case::numbers).toTypedArray()
        val smoothed = Stages.smooth(bundle.path, width, height, case.numbers("timestamps_ms"), given)
        (Stages.PARAMETERS + "translation").zip(smoothed).forEach { (name, values) -> case.check("smoothed_$name", values) }
    }

    @Test
    fun refuse() = cases("refuse").forEach { case ->
        if (!case.has("timestamps_ms")) {
            assertNotNull(case.prefix, refused<RuntimeException> { decode(case) }.ifEmpty { null })
            refuseThroughTheClasses(case)
            return@forEach
        }
        val times = case.numbers("timestamps_ms")
        open(RunningMode.VIDEO).use { estimator ->
            for (time in times.dropLast(1)) estimator.detectForVideo(dark(64, 48), time)
            assertRefused<CoEvoerException.Usage>("timestamp") { estimator.detectForVideo(dark(64, 48), times.last()) }
        }
    }

    /** Non-finite values reach the classes through the app's network. ExecutorchNetwork checks the shapes. */
    private fun refuseThroughTheClasses(case: Case) {
        val whole = bundleInfo.outputs.all { case.has(it.name) && case.numbers(it.name).size == it.size }
        val network = fake { _, outputs ->
            for ((name, values) in outputs) case.numbers(name).forEachIndexed { i, v -> values[i] = v.toFloat() }
        }
        if (whole && bundleInfo.outputs.any { output -> case.numbers(output.name).any { !it.isFinite() } })
            open(loader = network).use {
                assertRefused<CoEvoerException.Network>("not finite") { it.detect(dark(192, 256)) }
            }
    }
}
