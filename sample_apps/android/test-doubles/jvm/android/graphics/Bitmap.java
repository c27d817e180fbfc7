package android.graphics;

import java.nio.Buffer;
import java.nio.ByteBuffer;

/** A bitmap that works on a JVM, with the members that Frame.of(bitmap) uses. */
public final class Bitmap {
  public enum Config {
    ARGB_8888,
    RGB_565
  }

  private final int[] colours;
  private final int width, height;
  private final Config config;
  private boolean recycled;

  /** Test only. */
  public Bitmap(int[] colours, int width, int height, Config config) {
    this.colours = colours;
    this.width = width;
    this.height = height;
    this.config = config;
  }

  public void recycle() {
    recycled = true;
  }

  public boolean isRecycled() {
    return recycled;
  }

  public Config getConfig() {
    return config;
  }

  public Bitmap copy(Config config, boolean mutable) {
    return new Bitmap(colours, width, height, config);
  }

  public int getWidth() {
    return width;
  }

  public int getHeight() {
    return height;
  }

  /** Padded, as a real one may be. */
  public int getRowBytes() {
    return 4 * width + 16;
  }

  public int getByteCount() {
    return getRowBytes() * height;
  }

  /** Only for ARGB_8888: bytes R, G, B, A. */
  public void copyPixelsToBuffer(Buffer buffer) {
    if (config != Config.ARGB_8888) throw new IllegalStateException("not of ARGB_8888");
    ByteBuffer to = (ByteBuffer) buffer;
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        int at = y * getRowBytes() + 4 * x, colour = colours[y * width + x];
        to.put(at, (byte) (colour >> 16)).put(at + 1, (byte) (colour >> 8)).put(at + 2, (byte) colour);
        to.put(at + 3, (byte) (colour >>> 24));
      }
    buffer.position(getByteCount());
  }
}
