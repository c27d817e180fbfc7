package org.pytorch.executorch;

import java.nio.FloatBuffer;

/** ExecuTorch's C++ Module through the tests' JNI library. Its methods throw RuntimeException with the runtime's messages. */
final class HostRuntime {
  static {
    System.loadLibrary("coevoer_test_jni");
  }

  static native long load(String path, int mode);

  static native void loadMethod(long module, String method);

  /** float[] and long[] (the shape) of each output in turn. */
  static native Object[] forward(long module, FloatBuffer input, long[] shape);

  static native void destroy(long module);
}
