package ai.coevoer.edge

/** The engine's stages one by one (src/hostTest/cpp/stages.cpp). They throw RuntimeException with its messages. */
object Stages {
    init {
        System.loadLibrary("coevoer_test_jni")
    }

    val PARAMETERS = listOf(
        "global_orient", "body_pose", "left_hand_pose", "right_hand_pose", "jaw_pose", "betas", "expression",
    )

    @JvmStatic external fun crop(bundle: String, pixels: ByteArray, width: Int, height: Int, crop: DoubleArray): DoubleArray
    @JvmStatic external fun decode(
        bundle: String, names: Array<String>, values: Array<FloatArray>, shapes: Array<LongArray>, crop: DoubleArray,
        width: Int, height: Int,
    ): Array<DoubleArray>
    @JvmStatic external fun smooth(
        bundle: String, width: Int, height: Int, timestampsMs: DoubleArray, given: Array<DoubleArray>,
    ): Array<DoubleArray>
    @JvmStatic external fun network(bundle: String, image: FloatArray): Array<FloatArray>
}
