package org.pytorch.executorch;

import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/** A double like Module.java. It refuses what the AAR's class refuses. */
public class Tensor {
  final FloatBuffer buffer;
  private final float[] values;
  private final long[] shape;

  Tensor(float[] values, long[] shape) {
    this.values = values;
    this.buffer = null;
    this.shape = shape;
  }

  private Tensor(FloatBuffer buffer, long[] shape) {
    this.values = null;
    this.buffer = buffer;
    this.shape = shape;
  }

  public static Tensor fromBlob(FloatBuffer data, long[] shape) {
    long count = 1;
    for (long n : shape) count *= n;
    if (count != data.capacity()) throw new IllegalArgumentException("Inconsistent data capacity");
    if (!data.isDirect()) throw new IllegalArgumentException("Data buffer must be direct");
    if (data.order() != ByteOrder.nativeOrder()) throw new IllegalArgumentException("native byte order");
    return new Tensor(data, shape);
  }

  /** The method that docs/guides/embed.md uses. It copies the data. */
  public static Tensor fromBlob(float[] data, long[] shape) {
    FloatBuffer copy = java.nio.ByteBuffer.allocateDirect(4 * data.length).order(ByteOrder.nativeOrder()).asFloatBuffer();
    copy.put(data);
    copy.rewind();
    return fromBlob(copy, shape);
  }

  public long[] shape() {
    return shape.clone();
  }

  public float[] getDataAsFloatArray() {
    return values.clone();
  }
}
