package ai.coevoer.edge.app

import ai.coevoer.edge.PinholeCamera
import java.nio.FloatBuffer

/** A posed body and what it takes to draw it. */
class PosedMesh(val vertices: FloatBuffer) {
    var camera = PinholeCamera(1.0, 0.0, 0.0)
    var origin = DoubleArray(3)
    var frameWidth = 1
    var frameHeight = 1
}

/**
 * Passes meshes from the estimator's thread to the rendering thread without a copy, and neither thread waits for the other:
 * one buffer is written, one is rendered, and one holds the newest mesh.
 */
class MeshQueue(newBuffer: () -> FloatBuffer) {
    private var written = PosedMesh(newBuffer())
    private var newest = PosedMesh(newBuffer())
    private var drawn = PosedMesh(newBuffer())
    private var isNew = false
    private var somebody = false

    /** On one thread, always the same. */
    fun write(fill: (PosedMesh) -> Unit) {
        fill(written)
        synchronized(this) {
            written = newest.also { newest = written }
            isNew = true
            somebody = true
        }
    }

    /** Nobody is there. */
    @Synchronized
    fun clear() {
        somebody = false
    }

    /** On one thread, always the same; the mesh may be read until the next call. null: nobody is there. */
    @Synchronized
    fun read(): PosedMesh? {
        if (isNew) drawn = newest.also { newest = drawn }
        isNew = false
        return if (somebody) drawn else null
    }
}
