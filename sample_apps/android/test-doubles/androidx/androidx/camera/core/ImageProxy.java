package androidx.camera.core;

import java.nio.ByteBuffer;

/** Replaces AndroidX for compilation: the members that this project calls, as documented. */
public interface ImageProxy extends AutoCloseable {
  interface PlaneProxy {
    int getRowStride();

    int getPixelStride();

    ByteBuffer getBuffer();
  }

  PlaneProxy[] getPlanes();

  int getFormat();

  int getWidth();

  int getHeight();

  ImageInfo getImageInfo();

  @Override
  void close();
}
