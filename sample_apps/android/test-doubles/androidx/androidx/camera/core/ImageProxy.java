package androidx.camera.core;

import java.nio.ByteBuffer;

/** Compiled against in place of AndroidX: the members that this project calls, as its documentation has them. */
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
