package ai.coevoer.edge

import java.io.File
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Module
import org.pytorch.executorch.Tensor

/**
 * Runs the network with `org.pytorch:executorch-android`. This is the only file that uses it: its `Module` is marked
 * experimental, so we use as little of it as possible.
 */
class ExecutorchNetwork private constructor(
    private val name: String,
    private val module: Module,
    image: NetworkTensor,
    private val outputs: List<NetworkTensor>,
) : Network {
    private val input = EValue.from(Tensor.fromBlob(image.values, image.info.shape.toLongArray()))

    override fun run() {
        val results = module.forward(input)
        if (results.size != outputs.size) fail("gave ${results.size} outputs", "${outputs.size}")
        for ((result, output) in results.zip(outputs)) {
            val what = output.info.name
            if (!result.isTensor) fail("gave no tensor for $what", "${output.info.shape}")
            val tensor = result.toTensor()
            if (tensor.shape().toList() != output.info.shape)
                fail("gave $what of shape ${tensor.shape().toList()}", "${output.info.shape}")
            output.values.clear()
            output.values.put(tensor.dataAsFloatArray)
        }
    }

    override fun close() = module.destroy()

    private fun fail(what: String, expected: String): Nothing =
        throw CoEvoerException.Network("$name $what; the manifest says $expected. Export the bundle again.")

    /** Maps the file, so that its weights can be dropped and read again when memory is low, and loads it immediately. */
    companion object : NetworkLoader {
        override fun load(artifact: File, image: NetworkTensor, outputs: List<NetworkTensor>): Network {
            if (artifact.extension != "pte")
                throw CoEvoerException.Bundle(
                    "${artifact.name} is not for ExecuTorch; `python -m coevoer_edge.export --target executorch` writes " +
                        "such bundles.",
                )
            val module = try {
                Module.load(artifact.path, Module.LOAD_MODE_MMAP)
            } catch (error: RuntimeException) {
                throw refused(artifact, error)
            }
            try {
                val code: Any? = module.loadMethod(METHOD) // an error code, or Unit in versions that throw instead
                if (code is Int && code != 0) throw IllegalStateException("error $code")
            } catch (error: RuntimeException) {
                module.destroy()
                throw refused(artifact, error)
            }
            return ExecutorchNetwork(artifact.name, module, image, outputs).also { it.check() }
        }

        private fun refused(artifact: File, error: RuntimeException) = CoEvoerException.Bundle(
            "ExecuTorch cannot load ${artifact.name} (${error.message}); export the bundle again.",
            error,
        )

        private const val METHOD = "forward"
    }

    /** The AAR does not describe a method's tensors, so one run on a black image checks the contract. */
    private fun check() {
        try {
            run()
        } catch (error: RuntimeException) {
            module.destroy()
            throw CoEvoerException.Bundle("$name does not run (${error.message}); export the bundle again.", error)
        }
    }
}
