package androidx.camera.core;

/** Replaces AndroidX for compilation: the members that this project calls, as documented. */
public final class CameraSelector {
  public static final CameraSelector DEFAULT_FRONT_CAMERA = new CameraSelector();
  public static final CameraSelector DEFAULT_BACK_CAMERA = new CameraSelector();
}
