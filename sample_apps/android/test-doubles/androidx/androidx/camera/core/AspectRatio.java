package androidx.camera.core;

/** Replaces AndroidX for compilation: the members that this project calls, as documented. */
public class AspectRatio {
  public static final int RATIO_4_3 = 0;
}
