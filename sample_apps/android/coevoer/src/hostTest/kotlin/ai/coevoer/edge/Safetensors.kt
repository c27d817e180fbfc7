package ai.coevoer.edge

import java.io.File
import java.io.RandomAccessFile
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import org.json.JSONObject

/** A safetensors file, for the kit and the golden images. */
class Safetensors(file: File) {
    private val bytes: ByteBuffer = RandomAccessFile(file, "r").use {
        it.channel.map(FileChannel.MapMode.READ_ONLY, 0, it.length()).order(ByteOrder.LITTLE_ENDIAN)
    }
    private val start = 8 + bytes.getLong(0).toInt()
    private val header = JSONObject(String(ByteArray(start - 8) { bytes.get(8 + it) }, Charsets.UTF_8))

    val metadata: JSONObject get() = header.getJSONObject("__metadata__")
    val names: Set<String> get() = header.keys().asSequence().filter { it != "__metadata__" }.toSet()

    fun shape(name: String): List<Int> = header.getJSONObject(name).getJSONArray("shape").let { shape ->
        List(shape.length()) { shape.getInt(it) }
    }

    fun numbers(name: String): DoubleArray {
        val entry = header.getJSONObject(name)
        val from = start + entry.getJSONArray("data_offsets").getInt(0)
        return DoubleArray(shape(name).fold(1) { all, n -> all * n }) {
            when (entry.getString("dtype")) {
                "F64" -> bytes.getDouble(from + 8 * it)
                "F32" -> bytes.getFloat(from + 4 * it).toDouble()
                "I64" -> bytes.getLong(from + 8 * it).toDouble()
                "I32" -> bytes.getInt(from + 4 * it).toDouble()
                else -> (bytes.get(from + it).toInt() and 255).toDouble()
            }
        }
    }
}
