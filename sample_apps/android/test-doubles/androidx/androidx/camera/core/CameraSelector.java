package androidx.camera.core;

/** Compiled against in place of AndroidX: the members that this project calls, as its documentation has them. */
public final class CameraSelector {
  public static final CameraSelector DEFAULT_FRONT_CAMERA = new CameraSelector();
  public static final CameraSelector DEFAULT_BACK_CAMERA = new CameraSelector();
}
