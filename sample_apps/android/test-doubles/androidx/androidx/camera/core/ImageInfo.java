package androidx.camera.core;

/** As ImageProxy.java. */
public interface ImageInfo {
  long getTimestamp();

  int getRotationDegrees();
}
