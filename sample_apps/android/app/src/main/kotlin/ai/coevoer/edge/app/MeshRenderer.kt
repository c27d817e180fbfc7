package ai.coevoer.edge.app

import android.content.res.AssetManager
import android.opengl.GLES30
import android.opengl.GLSurfaceView
import java.nio.IntBuffer
import javax.microedition.khronos.egl.EGLConfig
import javax.microedition.khronos.opengles.GL10

/** Renders the newest mesh over the camera's picture, on a transparent background. All of it runs on the GL thread. */
class MeshRenderer(private val assets: AssetManager, private val mirrored: () -> Boolean) : GLSurfaceView.Renderer {
    @Volatile private var source: Pair<MeshQueue, IntBuffer>? = null
    private var loaded: Pair<MeshQueue, IntBuffer>? = null
    private var program = 0
    private var projectionAt = 0
    private var originAt = 0
    private var colourAt = 0
    private val buffers = IntArray(2) // vertices, indices
    private var indexCount = 0
    private var width = 1
    private var height = 1

    /** Can be called from any thread. null: nothing is rendered. */
    fun show(meshes: MeshQueue?, faces: IntBuffer?) {
        source = if (meshes != null && faces != null) meshes to faces else null
    }

    override fun onSurfaceCreated(gl: GL10?, config: EGLConfig?) {
        program = link(
            compile(GLES30.GL_VERTEX_SHADER, "shaders/mesh.vert"), compile(GLES30.GL_FRAGMENT_SHADER, "shaders/mesh.frag"),
        )
        projectionAt = GLES30.glGetUniformLocation(program, "projection")
        originAt = GLES30.glGetUniformLocation(program, "origin")
        colourAt = GLES30.glGetUniformLocation(program, "colour")
        GLES30.glGenBuffers(2, buffers, 0)
        loaded = null // a new context has nothing
        GLES30.glEnable(GLES30.GL_DEPTH_TEST) // no culling: a mirrored view reverses the order of vertices
        GLES30.glClearColor(0f, 0f, 0f, 0f)
    }

    override fun onSurfaceChanged(gl: GL10?, width: Int, height: Int) {
        this.width = width
        this.height = height
        GLES30.glViewport(0, 0, width, height)
    }

    override fun onDrawFrame(gl: GL10?) {
        GLES30.glClear(GLES30.GL_COLOR_BUFFER_BIT or GLES30.GL_DEPTH_BUFFER_BIT)
        val from = source ?: return
        val mesh = from.first.read() ?: return
        GLES30.glUseProgram(program)
        GLES30.glBindBuffer(GLES30.GL_ARRAY_BUFFER, buffers[0])
        GLES30.glBindBuffer(GLES30.GL_ELEMENT_ARRAY_BUFFER, buffers[1])
        if (loaded !== from) load(from.second)
        loaded = from
        mesh.vertices.rewind()
        GLES30.glBufferData(
            GLES30.GL_ARRAY_BUFFER, BYTES * mesh.vertices.capacity(), mesh.vertices, GLES30.GL_STREAM_DRAW,
        )
        val view = FrameToView(mesh.frameWidth, mesh.frameHeight, width, height, mirrored())
        val (x, y, z) = mesh.origin
        GLES30.glUniformMatrix4fv(projectionAt, 1, false, projection(mesh.camera, view, z), 0)
        GLES30.glUniform3f(originAt, x.toFloat(), y.toFloat(), z.toFloat())
        GLES30.glUniform4f(colourAt, 0.95f, 0.77f, 0.49f, 0.85f)
        GLES30.glDrawElements(GLES30.GL_TRIANGLES, indexCount, GLES30.GL_UNSIGNED_INT, 0)
    }

    private fun load(faces: IntBuffer) {
        indexCount = faces.capacity()
        faces.rewind()
        GLES30.glBufferData(GLES30.GL_ELEMENT_ARRAY_BUFFER, BYTES * indexCount, faces, GLES30.GL_STATIC_DRAW)
        GLES30.glEnableVertexAttribArray(0)
        GLES30.glVertexAttribPointer(0, 3, GLES30.GL_FLOAT, false, 0, 0)
    }

    private fun compile(kind: Int, asset: String): Int {
        val shader = GLES30.glCreateShader(kind)
        GLES30.glShaderSource(shader, assets.open(asset).use { String(it.readBytes(), Charsets.UTF_8) })
        GLES30.glCompileShader(shader)
        val done = IntArray(1).also { GLES30.glGetShaderiv(shader, GLES30.GL_COMPILE_STATUS, it, 0) }
        check(done[0] != 0) { "$asset: ${GLES30.glGetShaderInfoLog(shader)}" }
        return shader
    }

    private fun link(vertex: Int, fragment: Int): Int {
        val linked = GLES30.glCreateProgram()
        GLES30.glAttachShader(linked, vertex)
        GLES30.glAttachShader(linked, fragment)
        GLES30.glLinkProgram(linked)
        val done = IntArray(1).also { GLES30.glGetProgramiv(linked, GLES30.GL_LINK_STATUS, it, 0) }
        check(done[0] != 0) { "The shaders do not link: ${GLES30.glGetProgramInfoLog(linked)}" }
        return linked
    }

    private companion object {
        const val BYTES = 4
    }
}
