package ai.coevoer.edge

import java.io.File
import java.io.IOException
import org.json.JSONException
import org.json.JSONObject

/**
 * The part of a bundle's manifest that an app needs: names, and the network's tensors. The engine reads and checks the
 * rest.
 *
 * @property trained false: the weights are random, and so is every result; tell the user
 */
class BundleInfo internal constructor(
    val model: String,
    val precision: String,
    val trained: Boolean,
    val licence: String,
    val bodyName: String,
    val bodyLicence: String,
    val jointNames: List<String>,
    val partNames: List<String>,
    val input: TensorInfo,
    val outputs: List<TensorInfo>,
) {
    internal companion object {
        private const val MANIFEST = "manifest.json"

        /** Reads the manifest of a bundle that the engine has verified. */
        fun read(folder: File): BundleInfo = try {
            parse(JSONObject(File(folder, MANIFEST).readText()))
        } catch (error: IOException) {
            throw CoEvoerException.Bundle("$folder/$MANIFEST cannot be read (${error.message}); install it again.", error)
        } catch (error: JSONException) {
            throw CoEvoerException.Bundle(
                "$folder/$MANIFEST is not in the form that this library expects (${error.message}); export the bundle again.",
                error,
            )
        }

        private fun parse(manifest: JSONObject): BundleInfo {
            val body = manifest.getJSONObject("body_model")
            val outputs = manifest.getJSONArray("outputs")
            val specs = List(outputs.length()) { outputs.getJSONObject(it) }
            return BundleInfo(
                manifest.getString("model"), manifest.getString("precision"), manifest.getBoolean("trained"),
                manifest.getString("licence"), body.getString("name"), body.getString("licence"),
                strings(manifest, "joint_names"), specs.first { it.has("rows") }.let { strings(it, "rows") },
                tensor(manifest.getJSONObject("input")), specs.map(::tensor),
            )
        }

        private fun tensor(spec: JSONObject): TensorInfo {
            val shape = spec.getJSONArray("shape")
            return TensorInfo(spec.getString("name"), List(shape.length()) { shape.getLong(it) })
        }

        private fun strings(table: JSONObject, key: String): List<String> {
            val array = table.getJSONArray(key)
            return List(array.length()) { array.getString(it) }
        }
    }
}
